package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/permesso/permesso/internal/config"
	"github.com/permesso/permesso/internal/errcode"
)

// tellGitHub prints workflow commands, which GitHub shows beside the lines of a pull request.
func (s *session) tellGitHub(all []config.Problem) error {
	for _, p := range all {
		title := string(p.Code)
		if entry, known := errcode.Find(p.Code); known {
			title = entry.Title
		}
		if err := s.print("::%s file=%s,line=%d,col=%d,title=%s::%s", p.Severity, inProperty(relative(p.File)), p.Line, p.Column, inProperty(title),
			inMessage(fmt.Sprintf("%s [%s]", p.Message, p.Code))); err != nil {
			return err
		}
	}
	return nil
}

// inMessage and inProperty escape what would end a workflow command's message or one of its properties
// (GitHub, actions/toolkit, packages/core/src/command.ts).
func inMessage(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

func inProperty(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(text)
}

// relative is the file as seen from the current folder, with slashes; what is not below it keeps its whole path.
func relative(file string) string {
	if folder, err := os.Getwd(); err == nil && filepath.IsAbs(file) {
		if near, err := filepath.Rel(folder, file); err == nil && filepath.IsLocal(near) {
			file = near
		}
	}
	return filepath.ToSlash(filepath.Clean(file))
}

// The parts of SARIF 2.1.0 that GitHub reads ("SARIF support for code scanning", read 2026-09-11).
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifLevel struct {
		Level string `json:"level"`
	}
	sarifRule struct {
		ID                   string     `json:"id"`
		ShortDescription     sarifText  `json:"shortDescription"`
		FullDescription      sarifText  `json:"fullDescription"`
		Help                 sarifText  `json:"help"`
		DefaultConfiguration sarifLevel `json:"defaultConfiguration"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		PhysicalLocation struct {
			ArtifactLocation struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
			Region sarifRegion `json:"region"`
		} `json:"physicalLocation"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
		EndColumn   int `json:"endColumn"` // the first column behind it
	}
)

// tellSARIF prints one run. It has an empty list of results where all is right: that closes the alerts of earlier ones.
func (s *session) tellSARIF(all []config.Problem) error {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	driver := sarifDriver{Name: "permesso", Version: version().Version, InformationURI: "https://github.com/permesso/permesso", Rules: []sarifRule{}}
	for _, p := range all {
		index := slices.IndexFunc(driver.Rules, func(r sarifRule) bool { return r.ID == string(p.Code) })
		if index < 0 {
			index = len(driver.Rules)
			driver.Rules = append(driver.Rules, ruleOf(p))
		}
		result := sarifResult{RuleID: string(p.Code), RuleIndex: index, Level: string(p.Severity), Message: sarifText{p.Message}}
		var at sarifLocation
		at.PhysicalLocation.ArtifactLocation.URI = uriOf(relative(p.File))
		at.PhysicalLocation.Region = sarifRegion{StartLine: p.Line, StartColumn: p.Column, EndColumn: endColumn(p)}
		result.Locations = []sarifLocation{at}
		run.Results = append(run.Results, result)
	}
	run.Tool.Driver = driver
	encoder := json.NewEncoder(s.out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}); err != nil {
		return errcode.With(fmt.Errorf("printing SARIF: %w", err), errcode.OutputFailed)
	}
	return nil
}

func ruleOf(p config.Problem) sarifRule {
	rule := sarifRule{ID: string(p.Code), DefaultConfiguration: sarifLevel{string(p.Severity)}}
	entry, _ := errcode.Find(p.Code)
	rule.ShortDescription.Text, rule.FullDescription.Text, rule.Help.Text = entry.Title, entry.Means, entry.Do
	if entry.Example != "" {
		rule.Help.Text += "\n\n" + entry.Example
	}
	return rule
}

// uriOf writes a path with slashes as a reference: relative as it is, else as file:///.
func uriOf(path string) string {
	if strings.HasPrefix(path, "/") || filepath.IsAbs(path) {
		return (&url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(path, "/")}).String()
	}
	return (&url.URL{Path: path}).String()
}

// endColumn is the column behind the word or the quoted text that a problem points at.
func endColumn(p config.Problem) int {
	line := []rune(p.Source)
	start := p.Column - 1
	if start < 0 || start >= len(line) {
		return p.Column + 1
	}
	if quote := line[start]; quote == '"' || quote == '\'' {
		if length := slices.Index(line[start+1:], quote); length >= 0 {
			return p.Column + length + 2
		}
	}
	if closing := slices.Index(line[start:], '}'); closing > 0 && strings.HasPrefix(string(line[start:]), "${") {
		return p.Column + closing + 1
	}
	end := start + 1
	for end < len(line) && !endsWord(line, end) {
		end++
	}
	return end + 1
}

func endsWord(line []rune, i int) bool {
	colon := line[i] == ':' && (i+1 == len(line) || unicode.IsSpace(line[i+1]))
	return colon || unicode.IsSpace(line[i]) || strings.ContainsRune(",]}", line[i])
}
