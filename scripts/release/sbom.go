package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
)

// sbom writes the list of what a program is made of, in CycloneDX's format, beside its archive.
func (b builder) sbom(ctx context.Context, t target, name, program string) error {
	raw := filepath.Join(b.work, name+".json")
	err := b.command(ctx, t, b.SBOM, "bin", "-json", "-licenses", "-std", "-noserial", "-notimestamp",
		"-version", b.commit.Version, "-output", raw, program)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(raw)
	if err != nil {
		return err
	}
	if text, err = withoutBuilder(text); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.dist, name+".cdx.json"), text, 0o644)
}

// withoutBuilder removes the checksums of the program that made the list: another machine's is another one.
func withoutBuilder(text []byte) ([]byte, error) {
	var list map[string]any
	numbers := json.NewDecoder(bytes.NewReader(text))
	numbers.UseNumber()
	if err := numbers.Decode(&list); err != nil {
		return nil, err
	}
	if metadata, ok := list["metadata"].(map[string]any); ok {
		tools, _ := metadata["tools"].([]any)
		for _, tool := range tools {
			if tool, ok := tool.(map[string]any); ok {
				delete(tool, "hashes")
			}
		}
	}
	text, err := json.MarshalIndent(list, "", "  ")
	return append(text, '\n'), err
}
