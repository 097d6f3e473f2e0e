package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"recarga/internal/listen"
)

const (
	// unreadyPause is the time between two looks at a process that is not ready yet.
	unreadyPause = time.Second
	// startExtension is how long the service manager is asked to wait for a start that goes on: longer than several of
	// the looks that repeat it take.
	startExtension = 30 * time.Second
)

// supervisor notifies the service manager that started the process how it is: see sd_notify(3).
type supervisor struct {
	health *Health
	log    *slog.Logger
	// api is the address of the API, empty without one; asked while the process runs.
	api func() string
	// watchdog is the time after which the manager ends a process that has not said that it lives; 0: it does not.
	watchdog time.Duration
	// stopsWithin is how long a stop takes at most.
	stopsWithin time.Duration

	ready, stopping bool   // were said
	status          string // was said last
	answered        bool   // the API has answered a check
	failed          bool   // the log says that the manager cannot be notified
}

// startSupervision does nothing where no service manager listens. Its end comes last: the manager hears of all.
func (n *Node) startSupervision(context.Context) error {
	listens, err := daemon.SdNotify(false, "STATUS="+PhaseStarting)
	if !listens && err == nil {
		return nil
	}
	s := &supervisor{
		health: n.health, log: n.log, stopsWithin: n.stopsWithin(),
		api: func() string { return strings.TrimPrefix(n.APIURL, "http://") },
	}
	if s.watchdog, err = daemon.SdWatchdogEnabled(false); err != nil {
		n.log.Warn("the service manager's watchdog is not understood, and may end this process", "error", err)
	}
	n.background(s.run)
	return nil
}

// run notifies the manager of all that it must know, until ctx ends.
func (s *supervisor) run(ctx context.Context) {
	for {
		s.turn(ctx)
		pause := make(<-chan time.Time) // for ever
		switch {
		case !s.ready && !s.stopping:
			pause = time.After(unreadyPause)
		case s.watchdog > 0:
			pause = time.After(s.watchdog / 2)
		}
		select {
		case <-s.health.entered:
		case <-pause:
		case <-ctx.Done():
			s.turn(context.WithoutCancel(ctx)) // the last phase, if it was a short one
			return
		}
	}
}

// turn says what there is to say now. A start that waits asks for more time, however long it waits; READY comes once
// the process is ready, and what becomes of that later is for the probes. A process that does not live only says so:
// then the manager's watchdog ends it.
func (s *supervisor) turn(ctx context.Context) {
	if s.health.now() == PhaseStopping {
		s.stop()
		return
	}
	report := s.health.ask(ctx)
	var say []string
	status := "ready"
	switch why := report.whyNot(); {
	case !report.OK:
		status = "not ready: " + why
		if !s.ready {
			say = append(say, extend(startExtension))
		}
	case !s.ready:
		say, s.ready = append(say, daemon.SdNotifyReady), true
	}
	if why := s.frozen(ctx, report); why != "" {
		status = "stuck: " + why
	} else if s.watchdog > 0 {
		say = append(say, daemon.SdNotifyWatchdog)
	}
	s.notify(status, say...)
}

// stop asks for the time that a stop may take, once. Its waits are bounded, so it lives.
func (s *supervisor) stop() {
	var say []string
	if !s.stopping {
		s.stopping = true
		say = append(say, daemon.SdNotifyStopping, extend(s.stopsWithin))
	}
	if s.watchdog > 0 {
		say = append(say, daemon.SdNotifyWatchdog)
	}
	s.notify(PhaseStopping, say...)
}

// frozen says what does not move although it could. A check of the API costs a connection to itself, and is made only
// where its result counts.
func (s *supervisor) frozen(ctx context.Context, report report) string {
	if !report.alive() {
		return strings.Join(report.Stuck, "; ")
	}
	if s.watchdog == 0 || report.Phase != PhaseRunning || s.api() == "" {
		return ""
	}
	within := s.watchdog / 4
	err := answers(ctx, s.api(), within)
	var late net.Error
	switch {
	case err == nil:
		s.answered = true
	case s.answered && errors.As(err, &late) && late.Timeout():
		return fmt.Sprintf("the API has not answered for %s", within)
	}
	return ""
}

// answers asks the API at its own address. Only a time-out says something of this process, and only where there was an
// answer before: a firewall may be in between, or another client may get the connection's place.
func answers(ctx context.Context, addr string, within time.Duration) error {
	deadline := time.Now().Add(within)
	conn, err := (&net.Dialer{Deadline: deadline}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // a shutdown does not wait for an answer
	err = conn.SetDeadline(deadline)
	if err == nil {
		_, err = fmt.Fprintf(conn, "HEAD %s HTTP/1.1\r\nHost: recarga\r\nConnection: close\r\n\r\n", listen.HealthPath)
	}
	if err == nil {
		_, err = io.ReadFull(conn, make([]byte, 1))
	}
	return err
}

// notify sends one message, if there is anything new.
func (s *supervisor) notify(status string, say ...string) {
	if status != s.status {
		s.status = status
		say = append(say, "STATUS="+strings.ReplaceAll(status, "\n", " "))
	}
	if len(say) == 0 {
		return
	}
	if _, err := daemon.SdNotify(false, strings.Join(say, "\n")); err != nil && !s.failed {
		s.failed = true
		s.log.Warn("the service manager cannot be notified, and may end this process", "error", err)
	}
}

// extend asks for more time than the unit's timeout, from now on.
func extend(d time.Duration) string { return fmt.Sprint("EXTEND_TIMEOUT_USEC=", d.Microseconds()) }
