// A real step-ca for tests, made of the library that Debian packages: "init" creates what `step ca init --ssh` creates,
// "serve" runs it as `step-ca` does, "issue" makes a server certificate. The directory is STEPPATH, as for the originals.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("usage: %s init|serve|issue [options]", os.Args[0]))
	}
	switch command, arguments := os.Args[1], os.Args[2:]; command {
	case "init":
		fail(initialise(arguments))
	case "serve":
		fail(serve(arguments))
	case "issue":
		fail(issue(arguments))
	default:
		fail(fmt.Errorf("unknown command %q: init, serve or issue", command))
	}
}

func fail(err error) {
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// readPassword leaves out the line end that an editor adds, as step-ca does.
func readPassword(file string) ([]byte, error) {
	content, err := os.ReadFile(file)
	for len(content) > 0 && (content[len(content)-1] == '\n' || content[len(content)-1] == '\r') {
		content = content[:len(content)-1]
	}
	return content, err
}
