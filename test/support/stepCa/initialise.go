package main

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/smallstep/certificates/cas/apiv1"
	"github.com/smallstep/certificates/kms"
	kmsapi "github.com/smallstep/certificates/kms/apiv1"
	"github.com/smallstep/certificates/pki"
)

var sshAlgorithms = map[string]kmsapi.SignatureAlgorithm{
	"ecdsa":   kmsapi.ECDSAWithSHA256,
	"ed25519": kmsapi.PureEd25519,
}

func initialise(arguments []string) error {
	options := flag.NewFlagSet("init", flag.ContinueOnError)
	name := options.String("name", "", "name of the authority")
	dns := options.String("dns", "", "its names, separated by commas")
	address := options.String("address", "", "where it listens")
	provisioner := options.String("provisioner", "", "name of the first provisioner")
	passwordFile := options.String("password-file", "", "file with the password of all keys")
	sshKeys := options.String("ssh-keys", "ecdsa", "type of the SSH authority keys: ecdsa, as step makes them, or ed25519")
	if err := options.Parse(arguments); err != nil {
		return err
	}
	algorithm, known := sshAlgorithms[*sshKeys]
	if !known {
		return fmt.Errorf("unknown type of SSH keys %q", *sshKeys)
	}
	password, err := readPassword(*passwordFile)
	if err != nil {
		return err
	}
	authority, err := pki.New(
		apiv1.Options{Type: apiv1.SoftCAS, IsCreator: true, KeyManager: sshKeyManager{kms.Default, algorithm}},
		pki.WithAddress(*address),
		pki.WithDNSNames(strings.Split(*dns, ",")),
		pki.WithCaURL("https://"+*address),
		pki.WithProvisioner(*provisioner),
		pki.WithDeploymentType(pki.StandaloneDeployment),
		pki.WithSSH(),
	)
	if err != nil {
		return err
	}
	return create(authority, *name, password)
}

func create(authority *pki.PKI, name string, password []byte) error {
	if err := authority.GenerateKeyPairs(password); err != nil {
		return err
	}
	root, err := authority.GenerateRootCertificate(name, name, name, password)
	if err != nil {
		return err
	}
	if err := authority.GenerateIntermediateCertificate(name, name, name, root, password); err != nil {
		return err
	}
	if err := authority.GenerateSSHSigningKeys(password); err != nil {
		return err
	}
	return authority.Save()
}

// sshKeyManager chooses the algorithm of the SSH keys only: step's init has no option for it.
type sshKeyManager struct {
	kmsapi.KeyManager
	algorithm kmsapi.SignatureAlgorithm
}

func (manager sshKeyManager) CreateKey(request *kmsapi.CreateKeyRequest) (*kmsapi.CreateKeyResponse, error) {
	if strings.HasPrefix(filepath.Base(request.Name), "ssh_") {
		request.SignatureAlgorithm = manager.algorithm
	}
	return manager.KeyManager.CreateKey(request)
}
