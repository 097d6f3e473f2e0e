package clienttypes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"recarga/internal/testkit"
)

// TestTypesAreOfTheDocument: the types of the clients are those of the API's document, and no class is left of what it
// no longer has.
func TestTypesAreOfTheDocument(t *testing.T) {
	document, err := os.ReadFile("../../docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	all, err := models(document)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Generated(t, "../../clients/python/recarga/types.py", python(all))
	made := map[string]bool{}
	for _, m := range all {
		path := "../../clients/php/src/" + phpName(m.name) + ".php"
		testkit.Generated(t, path, m.php())
		made[path] = true
	}
	classes, err := filepath.Glob("../../clients/php/src/*.php")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range classes {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "// Made by go generate") && !made[path] {
			t.Errorf("%s is of no schema that the clients need: delete it", path)
		}
	}
}

// TestClientsAreOneRelease: a client says the same version wherever it says one, and all say the same.
func TestClientsAreOneRelease(t *testing.T) {
	const version = "0.1.0"
	for path, says := range map[string]string{
		"node/package.json": `"version": "%s"`, "node/package-lock.json": `"version": "%s"`,
		"python/pyproject.toml": `version = "%s"`, "python/recarga/_client.py": `__version__ = "%s"`,
		"php/composer.json": `"version": "%s"`, "php/src/Client.php": `VERSION = '%s'`,
	} {
		text, err := os.ReadFile("../../clients/" + path)
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(says, version); !strings.Contains(string(text), want) {
			t.Errorf("%s has no %s", path, want)
		}
	}
}

// TestWhatNoTypeCanSay: a document that these languages cannot express is refused, and not made into a wrong type.
func TestWhatNoTypeCanSay(t *testing.T) {
	for _, c := range []struct{ property, want string }{
		{`{"type":["string","integer"]}`, "OrderRequest.x: it may be [string integer]"},
		{`{"type":"array","items":{"type":"number"}}`, "OrderRequest.x: an array must be of a schema"},
		{`{"$ref":"#/components/schemas/Y"}`, "the document has no schema"},
		{`{"type":"array","items":{"$ref":"#/components/schemas/Y"}}`, "the document has no schema"},
	} {
		_, err := models([]byte(`{"components":{"schemas":{"OrderRequest":{"properties":{"x":` + c.property + `}}}}}`))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.property, err, c.want)
		}
	}
}
