package bench

import (
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/prometheus/procfs"
)

// Machine is what the figures depend on.
type Machine struct {
	// Cores that Go sees, and System with the version of its kernel.
	Cores  int    `json:"cores"`
	System string `json:"system"`
	Disk   string `json:"disk"` // the file system under the database
	Go     string `json:"go"`
}

func thisMachine(folder string) Machine {
	m := Machine{Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		version, _, _ := strings.Cut(strings.TrimSpace(string(release)), "-")
		m.System += " " + version
	}
	// What df says of the folder; without it the disk is not named.
	out, err := exec.Command("df", "-T", folder).Output() //nolint:noctx // it reads a table of the kernel
	if err == nil {
		if fields := strings.Fields(string(out)); len(fields) > 9 { // after "Mounted on" comes the device
			m.Disk = fields[9]
		}
	}
	return m
}

// cpuSeconds is what a process, all its children and their children have used, those that have ended
// included; 0 where there is no /proc.
func cpuSeconds(pid int) float64 {
	procs, err := procfs.AllProcs()
	if err != nil || pid == 0 {
		return 0
	}
	stats := map[int]procfs.ProcStat{}
	for _, p := range procs {
		if s, err := p.Stat(); err == nil {
			stats[p.PID] = s
		}
	}
	var ticks float64
	for id := range stats {
		for up := id; up > 1; up = stats[up].PPID {
			if up == pid {
				s := stats[id]
				ticks += float64(s.UTime+s.STime) + float64(s.CUTime+s.CSTime)
				break
			}
		}
	}
	const perSecond = 100 // USER_HZ
	return ticks / perSecond
}

// ownCPUSeconds is what this process has used, without its children; 0 where there is no /proc.
func ownCPUSeconds() float64 {
	self, err := procfs.Self()
	if err != nil {
		return 0
	}
	stat, err := self.Stat()
	if err != nil {
		return 0
	}
	return stat.CPUTime()
}

// residentMiB is the memory that a process has resident, and the most that it has had; 0 where there is no /proc.
func residentMiB(pid int) (now, peak float64) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, 0
	}
	s, err := p.NewStatus()
	if err != nil {
		return 0, 0
	}
	return float64(s.VmRSS) / (1 << 20), float64(s.VmHWM) / (1 << 20)
}
