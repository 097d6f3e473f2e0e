package deploy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"recarga/internal/config"
	"recarga/internal/testkit"
)

//go:generate go test -run "TestValuesSchema|TestPlainManifest" . -update

// everything switches on whatever the chart can make.
const everything = `
image: {repository: registry.example.com/recarga, tag: "1.0.0"}
secret:
  settings: [RECARGA_DATABASE_URL, RECARGA_REDIS_URL, RECARGA_DISTRIBUTOR_CUSTOMER_ID, RECARGA_DISTRIBUTOR_SECRET_KEY,
    RECARGA_ADMIN_KEY, RECARGA_ENCRYPTION_KEY, RECARGA_TASK_KEY]
settings: {RECARGA_DISTRIBUTOR_URL: "https://distributor.example.com/api/distributor", RECARGA_RETRY_MAX_ATTEMPTS: "5"}
env: [{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: "http://collector:4317"}]
catalog: "products: []"
archive: {claim: recarga-archive}
migration: {secretName: recarga-owner}
ingress: {enabled: true, className: nginx, host: recarga.example.com, tlsSecret: recarga-tls, annotations: {a: b}}
networkPolicy:
  apiFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress}}}]
  database: {ports: [6432], to: [{ipBlock: {cidr: 10.0.0.0/24}}]}
  redis: {ports: [6379, 26379], to: [{ipBlock: {cidr: 10.0.1.0/24}}]}
  extraEgress: [{ports: [{protocol: TCP, port: 4317}]}]
serviceMonitor: {enabled: true, labels: {release: prometheus}}
keda: {enabled: true, prometheus: "http://prometheus:9090"}
podAnnotations: {team: payments}
service: {annotations: {c: d}}
nodeSelector: {disk: ssd}
tolerations: [{key: dedicated, operator: Exists}]
serviceAccountName: recarga
priorityClassName: high
`

func helm(t *testing.T, arguments ...string) (said string, err error) {
	t.Helper()
	version := regexp.MustCompile(`(?m)^HELM_VERSION := (\S+)$`).FindStringSubmatch(read(t, "../Makefile"))
	if version == nil {
		t.Fatal("the Makefile has no HELM_VERSION")
	}
	path := testkit.Built(t, filepath.Join("..", "bin", "tools", "helm-"+version[1], "helm"))
	command := exec.CommandContext(t.Context(), path, arguments...)
	// It keeps files at home, and would talk to the cluster of whoever runs the tests.
	command.Env = append(os.Environ(), "HOME="+t.TempDir(), "KUBECONFIG=/dev/null")
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err = command.Run()
	return out.String() + errs.String(), err
}

// render is what the chart makes of values.
func render(t *testing.T, values string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	return helm(t, "template", "recarga", "helm", "--namespace", "recarga", "--values", file)
}

// renderAll is what the chart makes with everything switched on.
func renderAll(t *testing.T) manifests {
	t.Helper()
	text, err := render(t, everything)
	if err != nil {
		t.Fatal(text)
	}
	return objects(t, text)
}

// TestValuesSchema: the chart takes the settings that there are, and no secret but from a file.
func TestValuesSchema(t *testing.T) {
	const path = "helm/values.schema.json"
	var schema map[string]any
	if err := json.Unmarshal([]byte(read(t, path)), &schema); err != nil {
		t.Fatal(err)
	}
	own := ownSettings(t)
	plain, secrets := map[string]any{}, []string{}
	for _, group := range config.Groups(new(config.Settings)) {
		for _, row := range group.Rows {
			of := map[string]any{"type": "string", "description": row.Help}
			if row.Choice {
				of["enum"] = []string{"true", "false"}
			}
			switch {
			case row.Secret:
				secrets = append(secrets, row.Env())
			case !slices.Contains(own, row.Env()) && row.Name != "API_URL":
				plain[row.Env()] = of
			}
		}
	}
	properties := schema["properties"].(map[string]any)
	properties["settings"].(map[string]any)["properties"] = plain
	secret := properties["secret"].(map[string]any)["properties"].(map[string]any)
	secret["settings"].(map[string]any)["items"] = map[string]any{"enum": secrets}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(schema); err != nil {
		t.Fatal(err)
	}
	testkit.Generated(t, path, text.String())
}

// ownSettings are those that the templates set from other values.
func ownSettings(t *testing.T) (names []string) {
	t.Helper()
	for _, found := range regexp.MustCompile(`- name: (RECARGA_[A-Z_]+)\n`).
		FindAllStringSubmatch(read(t, "helm/templates/_helpers.tpl"), -1) {
		names = append(names, found[1])
	}
	if !slices.Contains(names, "RECARGA_HTTP_ADDR") {
		t.Fatalf("the templates set %q", names)
	}
	return names
}

// TestChartIsLinted asks Helm itself.
func TestChartIsLinted(t *testing.T) {
	if said, err := helm(t, "lint", "--strict", "helm", "--values", "kubernetes.values.yaml"); err != nil {
		t.Error(said)
	}
}

// TestNotes: they are rendered, for all values and for few.
func TestNotes(t *testing.T) {
	few := filepath.Join(t.TempDir(), "few.yaml")
	all := filepath.Join(t.TempDir(), "all.yaml")
	for path, values := range map[string]string{few: read(t, "kubernetes.values.yaml"), all: everything} {
		if err := os.WriteFile(path, []byte(values), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{few: "first pod of a new version migrates", all: "https://recarga.example.com\n"} {
		said, err := helm(t, "install", "recarga", "helm", "--dry-run=client", "--values", path)
		if _, notes, _ := strings.Cut(said, "\nNOTES:\n"); err != nil || !strings.Contains(notes, want) {
			t.Errorf("%v: the notes lack %q: %s", err, want, notes)
		}
	}
}

const plainIntroduction = `# Recarga on Kubernetes without Helm: two APIs and two workers, beside a PostgreSQL and Redis of yours.
# Made by "go generate ./deploy" from deploy/helm with deploy/kubernetes.values.yaml. docs/deploy.md has the steps:
#   put the image that you built, and the distributor's URL, in the place of registry.example.com/recarga:1.0.0 and
#   distributor.example.com, below
#   kubectl create namespace recarga
#   kubectl -n recarga create secret generic recarga --from-env-file=recarga.env   # RECARGA_DATABASE_URL=… and so on
#   kubectl apply -f deploy/kubernetes.yaml
`

// plainManifest is the manifest for whoever has no Helm, as the chart is now.
func plainManifest(t *testing.T) string {
	t.Helper()
	text, err := render(t, read(t, "kubernetes.values.yaml"))
	if err != nil {
		t.Fatal(text)
	}
	text = strings.ReplaceAll(strings.TrimPrefix(text, "---\n"), "managed-by: Helm", "managed-by: kubectl")
	return plainIntroduction + text
}

// TestPlainManifest: it cannot differ from the chart.
func TestPlainManifest(t *testing.T) { testkit.Generated(t, "kubernetes.yaml", plainManifest(t)) }

// TestManifestsAreStrict reads them with Kubernetes' own types: an API server would drop what it does not know.
func TestManifestsAreStrict(t *testing.T) {
	strict := testkit.Built(t, "../bin/tools/strict/strict")
	read := func(text string) (understood []string, err error) {
		var out, errs bytes.Buffer
		command := exec.CommandContext(t.Context(), strict)
		command.Stdin, command.Stdout, command.Stderr = strings.NewReader(text), &out, &errs
		if err := command.Run(); err != nil {
			return nil, fmt.Errorf("%w: %s", err, errs.String())
		}
		return strings.Split(strings.TrimSpace(out.String()), "\n"), nil
	}
	all, err := render(t, everything)
	if err != nil {
		t.Fatal(all)
	}
	_, known := split(all)
	for _, text := range []string{known, plainManifest(t)} {
		got, err := read(text)
		if err != nil || len(got) != len(objects(t, text)) {
			t.Errorf("%v: of %d objects it understood %q", err, len(objects(t, text)), got)
		}
	}
	if got, err := read(strings.Replace(known, "readOnlyRootFilesystem", "readOnlyRootFileSystem", 1)); err == nil {
		t.Errorf("a wrong name is understood: %q", got)
	}
}

// split returns the object of KEDA, whose own types need six hundred packages, and all others.
func split(all string) (scaled, others string) {
	const end = "\n---\n"
	for _, text := range strings.Split(all, end) {
		if strings.Contains(text, "\nkind: ScaledObject\n") {
			scaled = text
		} else {
			others += text + end
		}
	}
	return scaled, strings.TrimSuffix(others, end)
}

// TestScaledObjectIsStrict: it has the fields of KEDA's specification, and no others.
func TestScaledObjectIsStrict(t *testing.T) {
	all, err := render(t, everything)
	if err != nil {
		t.Fatal(all)
	}
	scaled, _ := split(all)
	decoder := yaml.NewDecoder(strings.NewReader(scaled))
	decoder.KnownFields(true)
	var o struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct {
			Name, Namespace string
			Labels          map[string]string
		}
		Spec struct {
			ScaleTargetRef  struct{ Name string } `yaml:"scaleTargetRef"`
			PollingInterval int                   `yaml:"pollingInterval"`
			MinReplicaCount int                   `yaml:"minReplicaCount"`
			MaxReplicaCount int                   `yaml:"maxReplicaCount"`
			Fallback        struct {
				FailureThreshold int `yaml:"failureThreshold"`
				Replicas         int
				Behavior         string
			}
			Advanced struct {
				HPA struct {
					Behavior struct {
						ScaleDown struct {
							StabilizationWindowSeconds int `yaml:"stabilizationWindowSeconds"`
							Policies                   []struct {
								Type          string
								Value         int
								PeriodSeconds int `yaml:"periodSeconds"`
							}
						} `yaml:"scaleDown"`
					}
				} `yaml:"horizontalPodAutoscalerConfig"`
			}
			Triggers []struct {
				Type       string
				MetricType string `yaml:"metricType"`
				Metadata   struct {
					ServerAddress    string `yaml:"serverAddress"`
					Query, Threshold string
					IgnoreNullValues string `yaml:"ignoreNullValues"`
				}
			}
		}
	}
	if err := decoder.Decode(&o); err != nil {
		t.Fatal(err)
	}
	if s := o.Spec; s.MinReplicaCount < 1 || len(s.Triggers) != 1 || s.Fallback.Behavior != "currentReplicasIfHigher" {
		t.Errorf("%+v", s)
	}
}

// TestChartRefuses: what would fail in the cluster, or put a secret into Helm's records, fails before.
func TestChartRefuses(t *testing.T) {
	good := read(t, "kubernetes.values.yaml")
	with := func(setting string) string { return strings.Replace(good, "settings:", "settings:\n  "+setting, 1) }
	const needed = "RECARGA_DATABASE_URL, RECARGA_REDIS_URL"
	for name, test := range map[string]struct{ values, names string }{
		"no image":              {"settings: {RECARGA_DISTRIBUTOR_URL: https://a.example}", "/image/repository"},
		"a tag that moves":      {strings.Replace(good, `"1.0.0"`, "latest", 1), "/image/tag"},
		"no distributor":        {"image: {repository: recarga, tag: \"1\"}", "RECARGA_DISTRIBUTOR_URL"},
		"a misspelt value":      {good + "\nworkers: {replicas: 3}", "workers"},
		"a secret setting":      {with("RECARGA_ADMIN_KEY: secret-secret"), "RECARGA_ADMIN_KEY"},
		"an unknown setting":    {with("RECARGA_RETRY: \"1\""), "RECARGA_RETRY"},
		"a number":              {with("RECARGA_BALANCE_LOW: 1000000"), "RECARGA_BALANCE_LOW"},
		"a setting as env":      {good + "\nenv: [{name: RECARGA_LOG_LEVEL, value: debug}]", "/env/0/name"},
		"no database":           {good + "\nsecret: {settings: [RECARGA_REDIS_URL]}", "/secret/settings"},
		"a file of no secret":   {good + "\nsecret: {settings: [" + needed + ", RECARGA_LOG_LEVEL]}", "/secret/settings/2"},
		"keda alone":            {good + "\nkeda: {enabled: true}", "/keda/prometheus"},
		"no worker":             {good + "\nkeda: {enabled: true, prometheus: a, minReplicas: 0}", "/keda/minReplicas"},
		"an ingress for nobody": {good + "\ningress: {enabled: true}", "/ingress/host"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said, err := render(t, test.values)
			if err == nil || !strings.Contains(said, test.names) {
				t.Errorf("%v: does not name %s:\n%.1000s", err, test.names, said)
			}
		})
	}
}
