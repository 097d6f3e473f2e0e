package queue

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// ParseURL reads the URL of a Redis, any that Open takes but Embedded, and the files that it names. Its errors show
// neither the URL nor a password.
func ParseURL(raw string) (*redis.UniversalOptions, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("redis url cannot be parsed") // its text may hold a password
	}
	read, known := map[string]func(*url.URL, parameters) (*redis.UniversalOptions, error){
		"redis": single, "rediss": single, "unix": single, "redis-sentinel": sentinel, "redis-cluster": cluster,
	}[u.Scheme]
	if !known {
		return nil, fmt.Errorf("redis url scheme %q is not allowed; "+
			"must be embedded, redis, rediss, unix, redis-sentinel or redis-cluster", u.Scheme)
	}
	given, err := readParameters(u)
	if err != nil {
		return nil, err
	}
	options, err := read(u, given)
	if err == nil {
		options.TLSConfig, err = given.tls(u, options.TLSConfig)
	}
	return options, err
}

func single(u *url.URL, given parameters) (*redis.UniversalOptions, error) {
	plain := *u
	plain.RawQuery = ""
	o, err := redis.ParseURL(plain.String())
	if err != nil {
		return nil, fmt.Errorf("redis url: %w", err)
	}
	options := &redis.UniversalOptions{Addrs: []string{o.Addr}, DB: o.DB, Username: o.Username, Password: o.Password,
		TLSConfig: o.TLSConfig}
	if db := given["db"]; db != "" {
		if options.DB, err = database(u, db); err != nil {
			return nil, err
		}
	}
	if o.Network == "unix" {
		options.Dialer = func(ctx context.Context, _, addr string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", addr)
		}
	}
	return options, nil
}

func sentinel(u *url.URL, given parameters) (*redis.UniversalOptions, error) {
	options, err := several(u)
	if err != nil {
		return nil, err
	}
	if options.MasterName = given["master"]; options.MasterName == "" {
		return nil, errors.New("redis-sentinel url names no master; must end in ?master=NAME")
	}
	options.SentinelUsername, options.SentinelPassword = given["sentinel_user"], given["sentinel_password"]
	if db := strings.Trim(u.Path, "/"); db != "" {
		options.DB, err = database(u, db)
	}
	options.DialTimeout = masterTimeout
	return options, err
}

// masterTimeout bounds a connection to the master that the Sentinels name; they are asked anew before the next try.
// go-redis has no limit of its own for a TLS handshake there: with a silent master it would last for ever, and with it
// everything that waits for that connection.
const masterTimeout = time.Second

func database(u *url.URL, text string) (int, error) {
	db, err := strconv.Atoi(text)
	if err != nil || db < 0 {
		return 0, fmt.Errorf("%s url: database %q is not a number", u.Scheme, text)
	}
	return db, nil
}

func cluster(u *url.URL, _ parameters) (*redis.UniversalOptions, error) {
	options, err := several(u)
	if err != nil {
		return nil, err
	}
	if path := strings.Trim(u.Path, "/"); path != "" {
		return nil, fmt.Errorf("redis-cluster url: %q behind the hosts is not allowed; a cluster has one database", path)
	}
	options.IsClusterMode = true
	return options, nil
}

// several reads the hosts and credentials of a url with more than one host.
func several(u *url.URL) (*redis.UniversalOptions, error) {
	password, _ := u.User.Password()
	options := &redis.UniversalOptions{Addrs: strings.Split(u.Host, ","), Username: u.User.Username(), Password: password}
	for _, addr := range options.Addrs {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return nil, fmt.Errorf("%s url: %q is not host:port", u.Scheme, addr)
		}
	}
	return options, nil
}

// parameters are those behind the URL's question mark, by their names.
type parameters map[string]string

// tlsParameters are those that need TLS: who signs the servers' certificates, and a certificate of one's own.
var tlsParameters = []string{"ca", "cert", "key"}

// allowedParameters are those of each scheme.
var allowedParameters = map[string][]string{
	"redis": {"db"}, "rediss": slices.Concat([]string{"db"}, tlsParameters), "unix": {"db"},
	"redis-sentinel": slices.Concat([]string{"master", "sentinel_user", "sentinel_password", "tls"}, tlsParameters),
	"redis-cluster":  slices.Concat([]string{"tls"}, tlsParameters),
}

// readParameters refuses what nobody reads: a parameter that is misspelt would be without effect.
func readParameters(u *url.URL) (parameters, error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" {
		return nil, fmt.Errorf("%s url: what follows the question mark cannot be read; "+
			"a %%, #, & or + in a value must be written as %%25, %%23, %%26 or %%2B", u.Scheme)
	}
	allowed, given := allowedParameters[u.Scheme], parameters{}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		value := query[name][0]
		switch shown := masked(name, value); {
		case !slices.Contains(allowed, name):
			return nil, fmt.Errorf("%s url: parameter %q with the value %q is not allowed; must be one of %s",
				u.Scheme, name, shown, strings.Join(allowed, ", "))
		case len(query[name]) > 1:
			return nil, fmt.Errorf("%s url: parameter %q is given %d times; must be given once", u.Scheme, name,
				len(query[name]))
		case value == "":
			return nil, fmt.Errorf("%s url: parameter %q has no value", u.Scheme, name)
		case name == "tls" && value != "true" && value != "false":
			return nil, fmt.Errorf("%s url: parameter %q with the value %q is not allowed; must be true or false",
				u.Scheme, name, shown)
		}
		given[name] = value
	}
	return given, nil
}

// ordinary are values of parameters that are no secrets; whatever else is given may be one.
var ordinary = regexp.MustCompile(`^(true|false|yes|no|on|off|none|\d{1,5}(ns|us|ms|s|m|h)?)$`)

// masked is a parameter's value as it may be shown.
func masked(name, value string) string {
	public := []string{"db", "master", "sentinel_user", "tls", "ca", "cert", "key"}
	if slices.Contains(public, name) || ordinary.MatchString(value) {
		return value
	}
	return "…"
}

// tls is how to connect with TLS, from what the scheme asks for; nil is without.
func (p parameters) tls(u *url.URL, config *tls.Config) (*tls.Config, error) {
	if p["tls"] == "true" {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	for _, name := range tlsParameters {
		if p[name] != "" && config == nil {
			return nil, fmt.Errorf("%s url: parameter %q needs TLS; must come with tls=true", u.Scheme, name)
		}
	}
	if p["ca"] != "" {
		pem, err := os.ReadFile(p["ca"])
		if err != nil {
			return nil, fmt.Errorf("%s url: parameter \"ca\": %w", u.Scheme, err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s url: parameter \"ca\": %s has no certificate; must be a PEM file", u.Scheme, p["ca"])
		}
	}
	if (p["cert"] == "") != (p["key"] == "") {
		return nil, fmt.Errorf("%s url: parameters \"cert\" and \"key\" must be given together", u.Scheme)
	}
	if p["cert"] != "" {
		own, err := tls.LoadX509KeyPair(p["cert"], p["key"])
		if err != nil {
			return nil, fmt.Errorf("%s url: parameters \"cert\" and \"key\": %w", u.Scheme, err)
		}
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}
