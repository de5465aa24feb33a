// tpl - a stand-in for the jibri image's tpl: renders a Go template, with the sprig functions and the
// environment as .Env, to the standard output.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
)

func main() {
	environment := map[string]string{}
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		environment[name] = value
	}
	parsed, err := template.New(filepath.Base(os.Args[1])).Funcs(sprig.TxtFuncMap()).ParseFiles(os.Args[1])
	if err == nil {
		err = parsed.Execute(os.Stdout, map[string]interface{}{"Env": environment})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tpl:", err)
		os.Exit(1)
	}
}
