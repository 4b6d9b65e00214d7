// Package report owns what happened, as numbers, reasons and lines: the shapes that the store fills and that the command line and the console show.
package report
