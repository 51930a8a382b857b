package main

import (
	"flag"

	"github.com/smallstep/certificates/authority/config"
	"github.com/smallstep/certificates/ca"
)

func serve(arguments []string) error {
	options := flag.NewFlagSet("serve", flag.ContinueOnError)
	configFile := options.String("config", "", "ca.json")
	passwordFile := options.String("password-file", "", "file with the password of all keys")
	if err := options.Parse(arguments); err != nil {
		return err
	}
	password, err := readPassword(*passwordFile)
	if err != nil {
		return err
	}
	configuration, err := config.LoadConfiguration(*configFile)
	if err != nil {
		return err
	}
	server, err := ca.New(configuration, ca.WithConfigFile(*configFile), ca.WithPassword(password))
	if err != nil {
		return err
	}
	go ca.StopReloaderHandler(server)
	return server.Run()
}
