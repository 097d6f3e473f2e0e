package deploy_test

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"recarga/internal/app"
	"recarga/internal/config"
)

// object is what the tests read of a Kubernetes object.
type object struct {
	Kind     string
	Metadata struct {
		Name                string
		Labels, Annotations map[string]string
	}
	Spec struct {
		Selector    yaml.Node     // of labels, in one of two forms
		PodSelector labelSelector `yaml:"podSelector"`
		Template    struct {
			Metadata struct{ Labels map[string]string }
			Spec     pod
		}
		Replicas       *int
		Ports          []port
		JobLabel       string `yaml:"jobLabel"`
		Endpoints      []struct{ Port, Path string }
		ScaleTargetRef struct{ Name string } `yaml:"scaleTargetRef"`
		Triggers       []struct{ Metadata map[string]string }
		Ingress        []rule
		Egress         []rule
	}
}

type labelSelector struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

// rule is one of a NetworkPolicy.
type rule struct {
	Ports []struct{ Port string }
}

type port struct {
	Name          string
	Port          int
	TargetPort    string `yaml:"targetPort"`
	ContainerPort int    `yaml:"containerPort"`
}

type pod struct {
	AutomountServiceAccountToken  *bool `yaml:"automountServiceAccountToken"`
	TerminationGracePeriodSeconds int   `yaml:"terminationGracePeriodSeconds"`
	SecurityContext               struct {
		RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
		RunAsUser      int                   `yaml:"runAsUser"`
		FSGroup        int                   `yaml:"fsGroup"`
		SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	Containers []container
	Volumes    []volume
}

type volume struct {
	Name   string
	Secret struct {
		SecretName  string `yaml:"secretName"`
		DefaultMode int    `yaml:"defaultMode"`
	}
}

// variable is one of a container's environment.
type variable struct{ Name, Value string }

type container struct {
	Image           string
	Args            []string
	Env             []variable
	Ports           []port
	LivenessProbe   probe `yaml:"livenessProbe"`
	ReadinessProbe  probe `yaml:"readinessProbe"`
	Resources       struct{ Limits map[string]string }
	SecurityContext struct {
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct{ Drop []string }
	} `yaml:"securityContext"`
	VolumeMounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

type manifests []object

func objects(t *testing.T, text string) (all manifests) {
	t.Helper()
	documents := yaml.NewDecoder(strings.NewReader(text))
	for {
		var o object
		err := documents.Decode(&o)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if o.Kind != "" {
			all = append(all, o)
		}
	}
}

// of are the objects of a kind.
func (m manifests) of(kind string) (found manifests) {
	for _, o := range m {
		if o.Kind == kind {
			found = append(found, o)
		}
	}
	return found
}

// pods are those objects that make pods.
func (m manifests) pods() manifests { return append(m.of("Deployment"), m.of("Job")...) }

// selected are the pods that a selector chooses, and no pod but those.
func (m manifests) selected(labels map[string]string) (names []string) {
	for _, o := range m.pods() {
		if len(labels) > 0 && contains(o.Spec.Template.Metadata.Labels, labels) {
			names = append(names, o.Metadata.Name)
		}
	}
	return names
}

func contains(all, some map[string]string) bool {
	for k, v := range some {
		if all[k] != v {
			return false
		}
	}
	return true
}

// matchLabels are those of a selector, in either form.
func (o object) matchLabels(t *testing.T) map[string]string {
	t.Helper()
	var s labelSelector
	plain := map[string]string{}
	if err := o.Spec.Selector.Decode(&s); err != nil {
		t.Fatal(err)
	}
	if len(s.MatchLabels) > 0 {
		return s.MatchLabels
	}
	if err := o.Spec.Selector.Decode(&plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

func (c container) portOf(name string) int {
	for _, p := range c.Ports {
		if p.Name == name {
			return p.ContainerPort
		}
	}
	return 0
}

// TestPodsAreConfined: as Pod Security's profile "restricted" wants it, and with bounds.
func TestPodsAreConfined(t *testing.T) {
	user := regexp.MustCompile(`(?m)^USER (\d+):`).FindStringSubmatch(read(t, "../Dockerfile"))[1]
	found := renderAll(t).pods()
	if len(found) != 3 {
		t.Errorf("%d kinds of pods", len(found))
	}
	for _, o := range found {
		p := o.Spec.Template.Spec
		if !p.isConfined(user) {
			t.Errorf("%s: %+v", o.Metadata.Name, p)
		}
		for _, c := range p.Containers {
			if !c.isConfined() {
				t.Errorf("%s: %+v", o.Metadata.Name, c)
			}
			for _, m := range c.VolumeMounts {
				if !slices.ContainsFunc(p.Volumes, func(v volume) bool { return v.Name == m.Name }) {
					t.Errorf("%s: no volume %s", o.Metadata.Name, m.Name)
				}
			}
		}
	}
}

// isConfined: the image's user, who has no token and alone can read the secrets.
func (p pod) isConfined(user string) bool {
	s := p.SecurityContext
	return s.RunAsNonRoot && fmt.Sprint(s.RunAsUser) == user && fmt.Sprint(s.FSGroup) == user &&
		s.SeccompProfile.Type == "RuntimeDefault" &&
		p.AutomountServiceAccountToken != nil && !*p.AutomountServiceAccountToken &&
		!slices.ContainsFunc(p.Volumes, func(v volume) bool {
			return v.Secret.SecretName != "" && v.Secret.DefaultMode != 0o440
		})
}

func (c container) isConfined() bool {
	s := c.SecurityContext
	return s.ReadOnlyRootFilesystem && s.AllowPrivilegeEscalation != nil && !*s.AllowPrivilegeEscalation &&
		slices.Equal(s.Capabilities.Drop, []string{"ALL"}) && c.Resources.Limits["memory"] != ""
}

// settings are what a container's program reads of its environment.
func (c container) settings(t *testing.T, required config.Required) config.Settings {
	t.Helper()
	environment, folder := map[string]string{}, t.TempDir()
	for _, e := range c.Env {
		if _, twice := environment[e.Name]; twice {
			t.Errorf("%s is set twice", e.Name)
		}
		environment[e.Name] = e.Value
		if secret, inFile := strings.CutSuffix(e.Name, "_FILE"); inFile {
			if e.Value != "/etc/recarga/secret/"+secret {
				t.Errorf("%s is %s", e.Name, e.Value)
			}
			environment[e.Name] = secretFile(t, folder, secret)
		}
	}
	// Of a misspelt name nothing would be read here; the program refuses it.
	known := []string{}
	for _, row := range config.Table(new(config.Settings)) {
		known = append(known, row.Env(), row.Env()+"_FILE")
	}
	for name := range environment {
		if strings.HasPrefix(name, config.Prefix) && !slices.Contains(known, name) {
			t.Errorf("%s is no setting", name)
		}
	}
	s, err := config.Load(required, config.Environment(func(name string) string { return environment[name] }))
	if err != nil || len(s.Exposed) > 0 {
		t.Errorf("%v, exposed: %q", err, s.Exposed)
	}
	return s
}

// secretFile is one with a good value of a setting, as Kubernetes makes it of a Secret.
func secretFile(t *testing.T, folder, setting string) string {
	t.Helper()
	value := map[string]string{
		"RECARGA_DATABASE_URL": "postgres://recarga@db/recarga", "RECARGA_REDIS_URL": "redis://redis:6379",
	}[setting]
	path := filepath.Join(folder, setting)
	if err := os.WriteFile(path, []byte(cmp.Or(value, "Wq7-fTz2-Lk9x-Vb4m-Rd6p-"+setting)), 0o440); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPodsHaveGoodSettings: the program would start with what a pod is given, and its end is waited for.
func TestPodsHaveGoodSettings(t *testing.T) {
	commands := read(t, "../docs/cli.md")
	for _, o := range renderAll(t).pods() {
		p := o.Spec.Template.Spec
		c := p.Containers[0]
		if !strings.Contains(commands, "\n## recarga "+c.Args[0]+"\n") {
			t.Errorf("docs/cli.md does not know recarga %s", c.Args)
		}
		if o.Kind == "Job" {
			c.settings(t, nil)
			continue
		}
		s := c.settings(t, config.NeedsDistributor)
		grace := time.Duration(p.TerminationGracePeriodSeconds) * time.Second
		needed := s.ShutdownDelay + app.RequestsEnd
		if c.Args[0] == "worker" {
			needed = s.ShutdownTimeout + s.WebhookTimeout
		}
		if grace < needed+10*time.Second {
			t.Errorf("%s is killed after %s, and may need %s", o.Metadata.Name, grace, needed)
		}
		if s.HTTPAddr != ":8080" || s.MetricsAddr != ":9464" || c.portOf("metrics") != 9464 {
			t.Errorf("%s listens at %s and %s; its ports are %+v", o.Metadata.Name, s.HTTPAddr, s.MetricsAddr, c.Ports)
		}
		if c.Args[0] == "api" && c.portOf("http") != 8080 {
			t.Errorf("the API's ports are %+v", c.Ports)
		}
	}
}

// TestProbesAreAnswered by the pages that every process has.
func TestProbesAreAnswered(t *testing.T) {
	pages := http.NewServeMux()
	health := app.NewHealth(nil)
	health.Mount(pages)
	health.Enter(app.PhaseRunning)
	for _, o := range renderAll(t).of("Deployment") {
		c := o.Spec.Template.Spec.Containers[0]
		for want, p := range map[string]probe{"ok": c.LivenessProbe, "ready": c.ReadinessProbe} {
			answer := httptest.NewRecorder()
			pages.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, p.HTTPGet.Path, nil))
			if got := strings.TrimSpace(answer.Body.String()); got != want || p.HTTPGet.Port != "metrics" {
				t.Errorf("%s: %s of port %s: %s", o.Metadata.Name, p.HTTPGet.Path, p.HTTPGet.Port, got)
			}
		}
	}
}

// TestSelectors: each object chooses the pods that it is for.
func TestSelectors(t *testing.T) {
	all := renderAll(t)
	api, worker, migrate := "recarga-api", "recarga-worker", "recarga-migrate"
	want := map[string][]string{
		"Service/recarga-api": {api}, "Service/recarga-metrics": {api, worker},
		"Deployment/recarga-api": {api}, "Deployment/recarga-worker": {worker},
		"PodDisruptionBudget/recarga-api": {api}, "PodDisruptionBudget/recarga-worker": {worker},
		"NetworkPolicy/recarga-api": {api}, "NetworkPolicy/recarga-worker": {worker},
		"NetworkPolicy/recarga-migrate": {migrate},
	}
	for _, o := range all {
		labels := o.Spec.PodSelector.MatchLabels
		switch o.Kind {
		case "Service", "Deployment", "PodDisruptionBudget":
			labels = o.matchLabels(t)
		case "NetworkPolicy":
		default:
			continue
		}
		name := o.Kind + "/" + o.Metadata.Name
		if got := all.selected(labels); !slices.Equal(got, want[name]) {
			t.Errorf("%s chooses %q, not %q", name, got, want[name])
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("there is no %s", name)
	}
}

// TestMonitoring: the job has the name that the alerts ask for, and the workers' number follows a metric that exists.
func TestMonitoring(t *testing.T) {
	all := renderAll(t)
	monitor, scaled := all.of("ServiceMonitor")[0], all.of("ScaledObject")[0]
	watched := 0
	for _, s := range all.of("Service") {
		if !contains(s.Metadata.Labels, monitor.matchLabels(t)) {
			continue
		}
		watched++
		if job := s.Metadata.Labels[monitor.Spec.JobLabel]; !strings.Contains(read(t, "alerts.yml"), `job="`+job+`"`) {
			t.Errorf("the alerts ask for another job than %q", job)
		}
		if e := monitor.Spec.Endpoints[0]; s.Spec.Ports[0].Name != e.Port || e.Path != "/metrics" {
			t.Errorf("%+v is not of %+v", e, s.Spec.Ports)
		}
	}
	if watched != 1 {
		t.Errorf("the monitor chooses %d services", watched)
	}
	query := scaled.Spec.Triggers[0].Metadata["query"]
	metric := regexp.MustCompile(`recarga_\w+`).FindString(query)
	known := strings.Contains(read(t, "../docs/metrics.md"), "\n| `"+metric+"` | gauge |")
	if !known || !strings.HasPrefix(query, "max(") {
		t.Errorf("docs/metrics.md has no gauge for %s", query)
	}
	for _, o := range all.of("Deployment") {
		if scales := o.Metadata.Name == scaled.Spec.ScaleTargetRef.Name; scales != (o.Spec.Replicas == nil) {
			t.Errorf("%s: replicas %v, scaled: %t", o.Metadata.Name, o.Spec.Replicas, scales)
		}
	}
}

// TestNetworkPolicies: nobody but the monitoring reaches /metrics, and every pod reaches what it needs.
func TestNetworkPolicies(t *testing.T) {
	ports := func(rules []rule) (all []string) {
		for _, r := range rules {
			for _, p := range r.Ports {
				all = append(all, p.Port)
			}
		}
		return all
	}
	for name, want := range map[string][2]string{
		"recarga-api":     {"http metrics", "53 53 6432 6379 26379 443 4317"},
		"recarga-worker":  {"metrics", "53 53 6432 6379 26379 443 4317"},
		"recarga-migrate": {"", "53 53 6432"},
	} {
		for _, o := range renderAll(t).of("NetworkPolicy") {
			in, out := strings.Join(ports(o.Spec.Ingress), " "), strings.Join(ports(o.Spec.Egress), " ")
			if o.Metadata.Name == name && (in != want[0] || out != want[1]) {
				t.Errorf("%s: in %s, out %s", name, in, out)
			}
		}
	}
}

// TestMigrationComesFirst: with the Job the pods wait for it; without it the first pod migrates.
func TestMigrationComesFirst(t *testing.T) {
	waits := func(o object) bool {
		return slices.ContainsFunc(o.Spec.Template.Spec.Containers[0].Env, func(e variable) bool {
			return e.Name == "RECARGA_MIGRATE" && e.Value == "false"
		})
	}
	all := renderAll(t)
	for _, o := range all.of("Deployment") {
		if !waits(o) {
			t.Errorf("%s does not wait for the migration", o.Metadata.Name)
		}
	}
	job := all.of("Job")[0]
	if hooks := job.Metadata.Annotations["helm.sh/hook"]; hooks != "pre-install,pre-upgrade" {
		t.Errorf("the migration runs at %q", hooks)
	}
	if secret := job.Spec.Template.Spec.Volumes[0].Secret.SecretName; secret != "recarga-owner" {
		t.Errorf("the migration has the secret %s", secret)
	}
	plain := objects(t, read(t, "kubernetes.yaml"))
	if len(plain.of("Job")) > 0 || slices.ContainsFunc(plain.of("Deployment"), waits) {
		t.Error("the plain manifest waits for a migration that nobody makes")
	}
}

// TestImageHasOneName: what docker-compose.yml builds is what the cluster is given.
func TestImageHasOneName(t *testing.T) {
	for _, o := range objects(t, read(t, "kubernetes.yaml")).of("Deployment") {
		if image := o.Spec.Template.Spec.Containers[0].Image; image != "registry.example.com/recarga:1.0.0" {
			t.Errorf("%s runs %s", o.Metadata.Name, image)
		}
	}
	if !strings.Contains(read(t, "../docker-compose.yml"), "\n  image: recarga\n") {
		t.Error("docker-compose.yml builds another image")
	}
}
