package console

import (
	"html/template"
	"net/http"
	"strings"
	"sync"
	"time"
)

// zoneCookie has the time zone that somebody chose, in this browser.
const zoneCookie = "recarga_zone"

// zones are those that are offered; any other of the IANA database can be typed.
var zones = []string{"UTC", "America/Mexico_City", "America/Cancun", "America/Hermosillo", "America/Tijuana"}

// zoneOf is the time zone of all times that are shown and typed: the chosen one, or the machine's.
func zoneOf(r *http.Request) *time.Location {
	cookie, err := r.Cookie(zoneCookie)
	if err != nil {
		return time.Local
	}
	return zoneNamed(cookie.Value)
}

// zoneNamed is the machine's where there is no such zone.
func zoneNamed(name string) *time.Location {
	if name == "" || len(name) > maxName || strings.Contains(name, "..") {
		return time.Local
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.Local
	}
	return zone
}

// chooseZone keeps the zone, and leads back to the page. An unknown one chooses the machine's.
func (c *Console) chooseZone(w http.ResponseWriter, r *http.Request, _ operator) error {
	cookie := &http.Cookie{Name: zoneCookie, Path: Path, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: c.cfg.Proxies.TLS(r), Expires: time.Now().AddDate(1, 0, 0)}
	if zone := zoneNamed(strings.TrimSpace(r.PostFormValue("zone"))); zone != time.Local {
		cookie.Value = zone.String()
	}
	http.SetCookie(w, cookie)
	back := ownPath(r.PostFormValue("back"))
	if back == "" {
		back = address(nil)
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
	return nil
}

// zonedPages are the templates by time zone, each parsed when somebody first asks for it.
type zonedPages struct {
	mu  sync.Mutex
	all map[string]map[string]*template.Template
}

// mostZones bounds how many are kept.
const mostZones = 50

func (z *zonedPages) in(zone *time.Location) (map[string]*template.Template, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if pages := z.all[zone.String()]; pages != nil {
		return pages, nil
	}
	pages, err := parsePages(zone)
	if err == nil {
		if len(z.all) >= mostZones || z.all == nil {
			z.all = map[string]map[string]*template.Template{}
		}
		z.all[zone.String()] = pages
	}
	return pages, err
}
