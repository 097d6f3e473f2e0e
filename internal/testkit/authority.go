//go:build unix

package testkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"recarga/internal/servers"
)

// Authority signs certificates for servers of this machine.
type Authority struct {
	// Pool trusts it.
	Pool *x509.CertPool
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	tb   testing.TB
}

// NewAuthority makes one that nobody trusts yet.
func NewAuthority(tb testing.TB) *Authority {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	a := &Authority{Pool: x509.NewCertPool(), key: key, tb: tb}
	template := &x509.Certificate{
		Subject:      pkix.Name{CommonName: "authority of a test"}, // without a name OpenSSL does not find it
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if a.cert, err = x509.ParseCertificate(a.sign(template, template)); err != nil {
		tb.Fatal(err)
	}
	a.Pool.AddCert(a.cert)
	return a
}

func (a *Authority) sign(template, parent *x509.Certificate) []byte {
	a.tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &a.key.PublicKey, a.key)
	if err != nil {
		a.tb.Fatal(err)
	}
	return der
}

// Certificate is one for 127.0.0.1 that ends after valid.
func (a *Authority) Certificate(valid time.Duration) tls.Certificate {
	a.tb.Helper()
	der := a.sign(&x509.Certificate{
		Subject:      pkix.Name{CommonName: "server of a test"},
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(valid),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, a.cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
}

// Files are the authority's certificate, and one for 127.0.0.1 with its key, in a folder of the test.
func (a *Authority) Files() *servers.TLSFiles {
	a.tb.Helper()
	folder := a.tb.TempDir()
	key, err := x509.MarshalECPrivateKey(a.key)
	if err != nil {
		a.tb.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(folder, name)
		text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
		if err := os.WriteFile(path, text, 0o600); err != nil {
			a.tb.Fatal(err)
		}
		return path
	}
	return &servers.TLSFiles{
		CA:   write("ca.pem", "CERTIFICATE", a.cert.Raw),
		Cert: write("cert.pem", "CERTIFICATE", a.Certificate(24 * time.Hour).Certificate[0]),
		Key:  write("key.pem", "EC PRIVATE KEY", key),
	}
}
