package main

import "regexp"

// retired are words, as they stand alone or in a name (ringOrder has two), and what to write instead.
var retired = map[string]string{
	"told":  "notified, delivered, or said",
	"tell":  "notify, deliver, or report",
	"tells": "notifies, delivers, or reports", "telling": "notifying", "teller": "deliverer", "untold": "not delivered",
	"ring": "enqueue", "rings": "enqueues", "rang": "enqueued", "rung": "enqueued", "ringing": "enqueueing",
	"bell": "waker", "insist": "force", "insists": "forces", "insisted": "forced",
	"lane": "committer", "lanes": "committers", "strand": "operation", "strands": "operations", "volley": "batch",
	"volleys": "batches",
	"mend":    "fix", "mends": "fixes", "mended": "fixed", "mending": "fixing",
	"crowd": "waiting by priority", "barred": "denied", "freedom": "unrestricted", "manner": "options",
	"lonely": "local", "sayings": "messages", "notices": "restrictions, or messages", "board": "shared state",
	"verdict": "decision", "verdicts": "decisions",
}

// phrases are retired, too.
var phrases = map[*regexp.Regexp]string{
	regexp.MustCompile(`(?i)\b(stands?|stood|standing|wait(s|ing)?) in line\b`): "wait, or are deferred",
	regexp.MustCompile(`(?i)\b(goes|go|gone|going|went) on with\b`):             "continue",
	regexp.MustCompile(`\b(goOn|notNow|TryNow|tryNow|StandInLine|InLine|inLine)\b`): "run, deferUntil, " +
		"DeliverNow, Defer, Waiting",
	regexp.MustCompile(`(?i)\b(giv(e|es|en|ing)|gave) up\b`): "time out (an attempt), " +
		"or exhausted (an event)",
	regexp.MustCompile(`(?i)HOLD_BELOW|HoldBelow`): "BALANCE_RESERVE, Reserve",
}

// allowed are places where a word is somebody else's, or history: a path's beginning, and what the line has.
var allowed = []struct {
	path string
	line *regexp.Regexp
}{
	{"CHANGELOG.md", regexp.MustCompile(``)},   // what was released under its former names
	{"scripts/words/", regexp.MustCompile(``)}, // this table
	{"README.es.md", regexp.MustCompile(``)},   // another language
	// What a database was migrated with stays as it is.
	{"internal/journal/tables/migrations/", regexp.MustCompile(``)},
	{"", regexp.MustCompile(`recarga:distributor:notices|distributor notices|"notice"`)}, // stored in Redis
	{"", regexp.MustCompile(`dashboard|keyboard|clipboard|onboard`)},
}
