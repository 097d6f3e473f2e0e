package queue

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// ParseURL reads the URL of a Redis, any that Open takes but Embedded. Its errors do not show it.
func ParseURL(raw string) (*redis.UniversalOptions, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("redis url cannot be parsed") // its text may hold a password
	}
	switch u.Scheme {
	case "redis", "rediss", "unix":
		return single(raw)
	case "redis-sentinel":
		return sentinel(u)
	case "redis-cluster":
		return cluster(u)
	default:
		return nil, fmt.Errorf("redis url scheme %q is not allowed; "+
			"must be embedded, redis, rediss, unix, redis-sentinel or redis-cluster", u.Scheme)
	}
}

func single(raw string) (*redis.UniversalOptions, error) {
	o, err := redis.ParseURL(raw)
	if err != nil {
		return nil, fmt.Errorf("redis url: %w", err)
	}
	options := &redis.UniversalOptions{Addrs: []string{o.Addr}, DB: o.DB, Username: o.Username, Password: o.Password,
		TLSConfig: o.TLSConfig}
	if o.Network == "unix" {
		options.Dialer = func(ctx context.Context, _, addr string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", addr)
		}
	}
	return options, nil
}

func sentinel(u *url.URL) (*redis.UniversalOptions, error) {
	options, err := several(u)
	if err != nil {
		return nil, err
	}
	if options.MasterName = u.Query().Get("master"); options.MasterName == "" {
		return nil, errors.New("redis-sentinel url names no master; must end in ?master=NAME")
	}
	if db := strings.Trim(u.Path, "/"); db != "" {
		var err error
		if options.DB, err = strconv.Atoi(db); err != nil {
			return nil, fmt.Errorf("redis-sentinel url: database %q is not a number", db)
		}
	}
	return options, nil
}

func cluster(u *url.URL) (*redis.UniversalOptions, error) {
	options, err := several(u)
	if err != nil {
		return nil, err
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
	if u.Query().Get("tls") == "true" {
		options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return options, nil
}
