package imports_test

import (
	"fmt"
	"strings"
	"testing"
)

// What each cell is taken for, in a column of text and where a phone number, a day or a number is wanted.
func TestCells(t *testing.T) {
	strs := `<si><t>Anna</t></si><si><r><t xml:space="preserve">An</t></r><r><rPr/><t>na</t></r><rPh sb="0"><t>ANNA</t></rPh></si><si><t>a_x000D_` + "\n" + `b_x005F_x0041_</t></si><si><t/></si>`
	const lost, decimal = "!phone_scientific", "!phone_decimal"
	for name, tt := range map[string]struct{ cell, text, phone, day, number string }{
		"whole number":           {`<c r="%s"><v>393471234567</v></c>`, "393471234567", "+393471234567", "!row_date_is_number", "393471234567"},
		"as a floating point":    {`<c r="%s"><v>393471234567.0</v></c>`, "393471234567", "+393471234567", "!row_date_is_number", "393471234567"},
		"every digit, exponent":  {`<c r="%s"><v>3.93471234567E+11</v></c>`, "393471234567", "+393471234567", "!row_date_is_number", "393471234567"},
		"digits lost":            {`<c r="%s"><v>3.93471E+11</v></c>`, "!row_digits_lost", lost, "!row_date_is_number", "393471000000"},
		"more than 15 digits":    {`<c r="%s"><v>1.2345678901234568E+19</v></c>`, "!row_digits_lost", lost, "!row_date_is_number", "12345678901234567000"},
		"dirt in the last digit": {`<c r="%s"><v>393471234567.00006</v></c>`, "393471234567", "+393471234567", "!row_date_is_number", "393471234567"},
		"fraction":               {`<c r="%s"><v>347123456.7</v></c>`, "347123456.7", decimal, "!row_date_is_number", "347123456.7"},
		"small":                  {`<c r="%s"><v>1E-3</v></c>`, "0.001", decimal, "!row_date_is_number", "0.001"},
		"below zero":             {`<c r="%s"><v>-393471234567</v></c>`, "-393471234567", "!phone_is_negative", "!row_date_is_number", "-393471234567"},
		"scientific format":      {`<c r="%s" s="7"><v>393471234567</v></c>`, "393471234567", "+393471234567", "!row_date_is_number", "393471234567"},
		"date":                   {`<c r="%s" s="1"><v>45981</v></c>`, "2025-11-20", "!phone_is_date", "2025-11-20", "2025-11-20"},
		"date in words":          {`<c r="%s" s="5"><v>45981</v></c>`, "2025-11-20", "!phone_is_date", "2025-11-20", "2025-11-20"},
		"date and time":          {`<c r="%s" s="2"><v>45981.770833333336</v></c>`, "2025-11-20T18:30:00", "!phone_is_date", "2025-11-20", "2025-11-20T18:30:00"},
		"February 1900":          {`<c r="%s" s="1"><v>59</v></c>`, "1900-02-28", "!phone_is_date", "1900-02-28", "1900-02-28"},
		"29 February 1900":       {`<c r="%s" s="1"><v>60</v></c>`, "!row_no_such_day", "!row_no_such_day", "!row_no_such_day", "!row_no_such_day"},
		"March 1900":             {`<c r="%s" s="1"><v>61</v></c>`, "1900-03-01", "!phone_is_date", "1900-03-01", "1900-03-01"},
		"before all days":        {`<c r="%s" s="1"><v>-1</v></c>`, "!row_no_such_day", "!row_no_such_day", "!row_no_such_day", "!row_no_such_day"},
		"after all days":         {`<c r="%s" s="1"><v>2958466</v></c>`, "!row_no_such_day", "!row_no_such_day", "!row_no_such_day", "!row_no_such_day"},
		"time of day":            {`<c r="%s" s="6"><v>0.77083333333333337</v></c>`, "18:30:00", "!row_no_such_day", "!row_no_such_day", "18:30:00"},
		"span of time":           {`<c r="%s" s="3"><v>1.5</v></c>`, "1.5", decimal, "!row_date_is_number", "1.5"},
		"number with a unit":     {`<c r="%s" s="4"><v>12</v></c>`, "12", "!phone_too_short", "!row_date_is_number", "12"},
		"unknown style":          {`<c r="%s" s="99"><v>12</v></c>`, "12", "!phone_too_short", "!row_date_is_number", "12"},
		"ISO date":               {`<c r="%s" t="d"><v>2025-11-20T00:00:00</v></c>`, "2025-11-20", "!phone_is_date", "2025-11-20", "2025-11-20"},
		"true":                   {`<c r="%s" t="b"><v>1</v></c>`, "TRUE", "!phone_letters", "!row_date_unreadable", "TRUE"},
		"error":                  {`<c r="%s" t="e"><v>#N/A</v></c>`, "!row_cell_error", "!row_cell_error", "!row_cell_error", "!row_cell_error"},
		"no number":              {`<c r="%s"><v>0x10</v></c>`, "!row_cell_error", "!row_cell_error", "!row_cell_error", "!row_cell_error"},
		"no such string":         {`<c r="%s" t="s"><v>9</v></c>`, "!row_cell_error", "!row_cell_error", "!row_cell_error", "!row_cell_error"},
		"shared string":          {`<c r="%s" t="s"><v>0</v></c>`, "Anna", "!phone_letters", "!row_date_unreadable", "Anna"},
		"rich string":            {`<c r="%s" t="s"><v>1</v></c>`, "Anna", "!phone_letters", "!row_date_unreadable", "Anna"},
		"escapes":                {`<c r="%s" t="s"><v>2</v></c>`, "a\nb_x0041_", "!phone_letters", "!row_date_unreadable", "a\nb_x0041_"},
		"inline string":          {`<c r="%s" t="inlineStr"><is><r><t>An</t></r><r><t>na</t></r></is></c>`, "Anna", "!phone_letters", "!row_date_unreadable", "Anna"},
		"formula of a text":      {`<c r="%s" t="str"><f>A1&amp;B1</f><v>Anna</v></c>`, "Anna", "!phone_letters", "!row_date_unreadable", "Anna"},
		"formula of a number":    {`<c r="%s"><f>1+1</f><v>393471234567</v></c>`, "393471234567", "+393471234567", "!row_date_is_number", "393471234567"},
		"formula of a date":      {`<c r="%s" s="1"><f>TODAY()</f><v>45981</v></c>`, "2025-11-20", "!phone_is_date", "2025-11-20", "2025-11-20"},
		"formula of nothing":     {`<c r="%s" t="str"><f>""</f><v></v></c>`, "", "!phone_empty", "", ""},
		"formula never computed": {`<c r="%s"><f>A1+1</f></c>`, "!row_formula_without_result", "!row_formula_without_result", "!row_formula_without_result", "!row_formula_without_result"},
		"empty string":           {`<c r="%s" t="s"><v>3</v></c>`, "", "!phone_empty", "", ""},
		"empty cell":             {`<c r="%s" s="1"/>`, "", "!phone_empty", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := func(s string) string { return `t="inlineStr"><is><t>` + s + `</t></is></c>` }
			rows := `<row r="2"><c r="A2" ` + text("phone") + `<c r="B2" ` + text("note") + `<c r="C2" ` + text("birthday") + `<c r="D2" ` + text("points") + `</row>`
			for i, place := range []string{"B", "A", "C", "D"} {
				line := fmt.Sprint(i + 3)
				rows += `<row r="` + line + `">`
				if place != "A" {
					rows += `<c r="A` + line + `" ` + text("+39347000000"+line)
				}
				rows += fmt.Sprintf(tt.cell, place+line)
				if place == "A" {
					rows += `<c r="B` + line + `" ` + text("x")
				}
				rows += `</row>`
			}
			sink, result := importBook(t, zipped(t, rawParts(rows, strs)))
			code := map[int]string{}
			for _, p := range result.Problems {
				code[p.Line] = "!" + string(p.Code)
			}
			got := func(line int, value string) string {
				if code[line] != "" {
					return code[line]
				}
				return value
			}
			phone := ""
			for n := range sink.contacts {
				if !strings.HasPrefix(string(n), "+39347000000") {
					phone = string(n)
				}
			}
			for what, check := range map[string][2]string{
				"text":   {got(3, sink.contacts["+393470000003"].Attributes["note"]), tt.text},
				"phone":  {got(4, phone), tt.phone},
				"day":    {got(5, sink.contacts["+393470000005"].Attributes["birthday"]), tt.day},
				"number": {got(6, sink.contacts["+393470000006"].Attributes["points"]), tt.number},
			} {
				if check[0] != check[1] {
					t.Errorf("as a %s: %q, want %q", what, check[0], check[1])
				}
			}
		})
	}
}
