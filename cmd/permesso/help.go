package main

import "github.com/spf13/cobra"

// unbuilt are the verbs that are promised and that this version does not have: they are refused by name.
var unbuilt = map[string]string{
	"doctor": "a look at the whole installation",
}

// strictHelp refuses a word that is no verb also where --help stands behind it: cobra would print the help of the verb above.
func (s *session) strictHelp(root *cobra.Command) {
	show := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		asked, _ := cmd.Flags().GetBool("help") // a command without the flag was not asked by it
		if words := cmd.Flags().Args(); asked && cmd.HasSubCommands() && len(words) > 0 {
			s.late = unknownVerb(cmd, words[0])
			return
		}
		show(cmd, args)
	})
}
