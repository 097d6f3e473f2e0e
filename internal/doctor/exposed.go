package doctor

import (
	"context"
	"strings"

	"recarga/internal/exposure"
)

func (s settings) secrets(context.Context) Finding {
	if len(s.Exposed) > 0 {
		return warn("%s", strings.Join(s.Exposed, "; "))
	}
	return ok("no secret is a flag, or in a file that others can read")
}

func (s settings) archive(context.Context) Finding {
	switch {
	case s.ArchiveDir == "":
		return nothing()
	case exposure.OthersCanRead(s.ArchiveDir):
		return warn("%s can be read by others", s.ArchiveDir)
	}
	return ok("%s", s.ArchiveDir)
}

func (s *sqlite) private(context.Context) Finding {
	if readable := exposure.ReadableFiles("sqlite:" + s.path); len(readable) > 0 {
		return warn("others can read %s", strings.Join(readable, ", "))
	}
	return ok("only this user and its group can read it")
}
