// Package templates owns WhatsApp message templates, not HTML: the catalogue, the parameters that fill them, and the drift against what Meta approved.
package templates
