// Package config turns config.yaml into domain values, and every mistake in it into one sentence with its line.
package config
