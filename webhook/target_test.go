package webhook_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"recarga/topup"
	"recarga/webhook"
)

// doorbell counts the connections that a listener is asked for.
type doorbell struct {
	net.Listener
	connections atomic.Int32
}

func (d *doorbell) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if err == nil {
		d.connections.Add(1)
	}
	return conn, err
}

func TestPrivateTargetsAreRefusedWhereTheyAreConnectedTo(t *testing.T) {
	server := httptest.NewUnstartedServer(status(200))
	door := &doorbell{Listener: server.Listener}
	server.Listener = door
	server.StartTLS()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(door.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	const refused = "target refused: its address is not public"
	for host, want := range map[string]string{
		"127.0.0.1":                refused,
		"127.9.9.9":                refused,
		"localhost":                refused, // a name, which resolves to a private address
		"0.0.0.0":                  refused,
		"10.0.0.1":                 refused,
		"172.16.0.1":               refused,
		"172.31.255.254":           refused,
		"192.168.0.1":              refused,
		"100.64.0.1":               refused,
		"169.254.169.254":          refused,
		"224.0.0.1":                refused,
		"255.255.255.255":          refused,
		"198.18.0.1":               refused,
		"192.0.2.1":                refused,
		"240.0.0.1":                refused,
		"[::]":                     refused,
		"[::1]":                    refused,
		"[fe80::1%25lo]":           refused,
		"[fd00::1]":                refused,
		"[fd00:ec2::254]":          refused, // metadata on IPv6
		"[ff02::1]":                refused,
		"[::ffff:10.0.0.1]":        refused,
		"[::ffff:127.0.0.1]":       refused,
		"[::ffff:169.254.169.254]": refused,
		"[64:ff9b::7f00:1]":        refused,
		"[2002:7f00:1::]":          refused,
		// Other ways to write 127.0.0.1, of which resolvers make what they like.
		"LOCALHOST.": "", "2130706433": "", "127.1": "", "0177.0.0.1": "", "0x7f000001": "", "0x7f.1": "",
		"127.000.000.001": "",
		"①②⑦.0.0.1":       "",
	} {
		t.Run(host, func(t *testing.T) {
			b := newBook(news(t, "evt_1"))
			d := strictDeliverer(t, webhook.Config{Timeout: 2 * time.Second}, b,
				at("https://"+host+":"+port+"/?token=hush", webhook.NewSecret()))
			deliver(t, d, "evt_1")
			kept, try := b.get(t, "evt_1")
			if kept.State != topup.EventPending || try.Error == "" || try.Status != nil {
				t.Errorf("recorded %s, %+v", kept.State, try)
			}
			if got := string(try.Error); want != "" && got != want || strings.Contains(got, "hush") {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	if n := door.connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

func TestPlainHTTPIsRefused(t *testing.T) {
	r := newReceiver(t, status(200))
	for _, url := range []string{r.URL, strings.Replace(r.URL, "http", "HTTP", 1), "http://example.com/",
		"//example.com/", "file:///etc/passwd"} {
		b := newBook(news(t, "evt_1"))
		deliver(t, strictDeliverer(t, webhook.Config{}, b, at(url, webhook.NewSecret())), "evt_1")
		if _, try := b.get(t, "evt_1"); try.Error != "target refused: only https:// is allowed" {
			t.Errorf("%s: %+v", url, try)
		}
	}
	if len(r.requests()) > 0 {
		t.Error("a request was sent")
	}
}

func TestUntrustedCertificateIsAFailedTry(t *testing.T) {
	server := httptest.NewUnstartedServer(status(200))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of us
	server.StartTLS()
	t.Cleanup(server.Close)
	b := newBook(news(t, "evt_1"))
	deliver(t, deliverer(t, webhook.Config{}, b, at(server.URL, webhook.NewSecret())), "evt_1")
	if kept, try := b.get(t, "evt_1"); kept.State != topup.EventPending ||
		!strings.Contains(string(try.Error), "certificate") {
		t.Errorf("recorded %s, %+v", kept.State, try)
	}
}

func TestParseSchedule(t *testing.T) {
	for text, want := range map[string]string{
		"5s": "", "5s, 5m,24h": "", "": `wait 1 of the schedule is ""`, "5s,,5m": `wait 2`,
		"5s,soon": `wait 2 of the schedule is "soon"`,
		"-5s":     "wait 1", "0": "wait 1", "5": "wait 1",
	} {
		waits, err := webhook.ParseSchedule(text)
		switch {
		case want == "" && err == nil && len(waits) == strings.Count(text, ",")+1:
		case want == "" || err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%q: %v, %v", text, waits, err)
		}
	}
}

// TestNameThatChangesItsMind: a name that is public at the first look-up and private at the second is
// refused, for what is checked is the address that is connected to.
func TestNameThatChangesItsMind(t *testing.T) {
	server := httptest.NewUnstartedServer(status(200))
	door := &doorbell{Listener: server.Listener}
	server.Listener = door
	server.StartTLS()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(door.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	asked := rebind(t)
	first, err := net.DefaultResolver.LookupHost(t.Context(), "rebind.example.")
	if err != nil || len(first) != 1 || first[0] != "93.184.216.34" {
		t.Fatalf("the first look-up says %v, %v", first, err)
	}
	b := newBook(news(t, "evt_1"))
	deliver(t, strictDeliverer(t, webhook.Config{Timeout: 5 * time.Second}, b,
		at("https://rebind.example.:"+port, webhook.NewSecret())), "evt_1")
	if _, try := b.get(t, "evt_1"); try.Error != "target refused: its address is not public" || asked.Load() < 2 ||
		door.connections.Load() != 0 {
		t.Errorf("recorded %+v after %d look-ups and %d connections", try, asked.Load(), door.connections.Load())
	}
}

// rebind has the names of this test resolved by a DNS server that answers with a public address once, and
// with 127.0.0.1 from then on.
func rebind(t *testing.T) (asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for buf := make([]byte, 512); ; {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply := answerTo(buf[:n], asked); reply != nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	}()
	preferGo, dial := net.DefaultResolver.PreferGo, net.DefaultResolver.Dial
	net.DefaultResolver.PreferGo = true
	net.DefaultResolver.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}
	t.Cleanup(func() {
		net.DefaultResolver.PreferGo, net.DefaultResolver.Dial = preferGo, dial
		_ = conn.Close()
		<-done
	})
	return asked
}

func answerTo(query []byte, asked *atomic.Int32) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.Additionals = true, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		address := [4]byte{127, 0, 0, 1}
		if asked.Add(1) == 1 {
			address = [4]byte{93, 184, 216, 34}
		}
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
			Body:   &dnsmessage.AResource{A: address},
		}}
	}
	reply, err := m.Pack()
	if err != nil {
		return nil
	}
	return reply
}
