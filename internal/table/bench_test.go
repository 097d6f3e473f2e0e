package table

import (
	"io"
	"strings"
	"testing"
)

// BenchmarkRows reads tables of a million bytes, of each kind of line.
func BenchmarkRows(b *testing.B) {
	for name, line := range map[string]string{
		"LF": "A,2026-11-24,1,ok\n", "CR": "A,2026-11-24,1,ok\r", "Latin-1": "A,2026-11-24,1,\xe9xito\n",
		"open quotes": "A,\"1,ok\n",
	} {
		b.Run(name, func(b *testing.B) {
			text := "id,fecha,monto,estatus\n" + strings.Repeat(line, 1_000_000/len(line))
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				lines, err := NewLines(strings.NewReader(text))
				if err != nil {
					b.Fatal(err)
				}
				r, err := NewReader(lines, withIDs(Options{}))
				for err == nil {
					_, err = r.Next()
				}
				if err != io.EOF { //nolint:errorlint // the reader returns it as it is
					b.Fatal(err)
				}
			}
		})
	}
}
