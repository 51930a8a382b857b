package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"go.step.sm/crypto/pemutil"
)

// issue writes a server certificate from the intermediate in STEPPATH, with its key: for impostors that hold one.
func issue(arguments []string) error {
	options := flag.NewFlagSet("issue", flag.ContinueOnError)
	name := options.String("name", "", "host name or IP address of the server")
	passwordFile := options.String("password-file", "", "file with the password of all keys")
	out := options.String("out", "", "PEM file to write: certificate, intermediate, private key")
	if err := options.Parse(arguments); err != nil {
		return err
	}
	password, err := readPassword(*passwordFile)
	if err != nil {
		return err
	}
	directory := os.Getenv("STEPPATH")
	intermediate, err := pemutil.ReadCertificate(filepath.Join(directory, "certs", "intermediate_ca.crt"))
	if err != nil {
		return err
	}
	read, err := pemutil.Read(filepath.Join(directory, "secrets", "intermediate_ca_key"), pemutil.WithPassword(password))
	if err != nil {
		return err
	}
	signer, usable := read.(crypto.Signer)
	if !usable {
		return errors.New("the intermediate key cannot sign")
	}
	return writeServer(*out, *name, intermediate, signer)
}

func writeServer(out, name string, intermediate *x509.Certificate, signer crypto.Signer) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if address := net.ParseIP(name); address != nil {
		template.IPAddresses = []net.IP{address}
	} else {
		template.DNSNames = []string{name}
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, intermediate, key.Public(), signer)
	if err != nil {
		return err
	}
	encodedKey, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	content = append(content, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: intermediate.Raw})...)
	content = append(content, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encodedKey})...)
	return os.WriteFile(out, content, 0600)
}
