package errcode

import "slices"

// Why a file was not taken.
const (
	FileMissing       Code = "file_missing"
	FileIsFolder      Code = "file_is_folder"
	FileUnreadable    Code = "file_unreadable"
	FileEmpty         Code = "file_empty"
	FileWorkbook      Code = "file_is_archive"
	FileCompressed    Code = "file_compressed"
	FileUTF16         Code = "file_in_utf16"
	FileNotUTF8       Code = "file_not_utf8"
	FileNotText       Code = "file_not_text"
	FileNotJSON       Code = "file_not_json"
	HeaderUnreadable  Code = "header_unreadable"
	HeaderMissing     Code = "header_missing"
	ColumnMissing     Code = "column_missing"
	ColumnTwice       Code = "column_twice"
	ColumnUnknown     Code = "column_unknown"
	RejectedUnwritten Code = "rejected_rows_unwritten"
	RowsRejected      Code = "rows_rejected"
	FileUnwritable    Code = "file_unwritable"
)

func files() []Entry {
	wrongUse := in(AreaFiles, 2, []Entry{
		{
			Code: FileMissing, Title: "There is no such file",
			Means: "Nothing lies at the path. A relative path begins at the current folder.",
			Do:    "Check the path with `ls`.",
		},
		{
			Code: FileIsFolder, Title: "This is a folder",
			Means: "A file was asked for, and the path leads to a folder.",
			Do:    "Name the file in it.",
		},
		{
			Code: FileNotJSON, Title: "The file is not the JSON that is wanted",
			Means: "`sandbox --templates` reads a list of templates as Meta lists them.",
			Do:    "Save the `data` of Meta's answer as one JSON list.",
		},
	})
	failed := in(AreaFiles, 1, []Entry{
		{
			Code: FileUnreadable, Title: "The file cannot be read",
			Means: "The operating system does not let this user read the file, or reading it broke off.",
			Do:    "Check its owner and permissions, and that the disk or network drive is still there; importing it again does no harm.",
		},
		{
			Code: FileUnwritable, Title: "A file cannot be written",
			Means: "The operating system does not let this user make or write the file, or the disk is full.",
			Do:    "Check owner and permissions of the folder, and the space on the disk.",
		},
		{
			Code: FileEmpty, Title: "The file is empty",
			Means: "Its first row must name the columns, `phone` among them, and there is none.",
			Do:    "Export the file again, with its header.",
		},
		{
			Code: FileWorkbook, Title: "The file is a workbook or an archive",
			Means: "What lies in it is packed and not read as rows of text.",
			Do:    "Open it in the spreadsheet, save it as \"CSV UTF-8\" and import that.",
		},
		{
			Code: FileCompressed, Title: "The file is compressed",
			Means: "Its rows cannot be read before it is unpacked.",
			Do:    "Unpack it, as with `gunzip FILE.gz`, and import what is inside.",
		},
		{
			Code: FileUTF16, Title: "The file is encoded in UTF-16",
			Means: "Some spreadsheets write it under the name Unicode text.",
			Do:    "Save it as \"CSV UTF-8\" and import that.",
		},
		{
			Code: FileNotUTF8, Title: "The file is not UTF-8 text",
			Means: "Its letters with accents are written in an older way, and which one cannot be told for certain.",
			Do:    "Save it as \"CSV UTF-8\", or convert it with `iconv -f WINDOWS-1252 -t UTF-8`.",
		},
		{
			Code: FileNotText, Title: "The file is no text",
			Means: "It holds bytes that no table of text has.",
			Do:    "Export it as \"CSV UTF-8\" and import that.",
		},
		{
			Code: HeaderUnreadable, Title: "The first row cannot be read",
			Means: "It should name the columns and is broken, often by a double quote that is never closed.",
			Do:    "Mend the first row; the sentence says what is wrong with it.",
		},
		{
			Code: HeaderMissing, Title: "The file has no header",
			Means: "A phone number stands in the first row, where the columns should be named. Nothing was imported, so that nobody is lost.",
			Do:    "Put a row above it that names the columns.",
			Example: "phone,name,language\n" +
				"+393471234567,Anna,it",
		},
		{
			Code: ColumnMissing, Title: "The file lacks a column",
			Means: "A column that every row needs is not named in the header, or the header was split by the wrong separator.",
			Do:    "Rename the right column, such as to `phone`, or check the separator.",
		},
		{
			Code: ColumnTwice, Title: "Two columns would fill the same place",
			Means: "They have the same name, or names that differ only in characters that attributes do not keep. Which of them counts is not guessed.",
			Do:    "Remove or rename one of them.",
		},
		{
			Code: ColumnUnknown, Title: "The file has a column that this kind of file does not have",
			Means: "In a file of consents or suppressions an unknown column may be a misspelt one, whose content would be lost.",
			Do:    "Rename or remove it; the columns that are known were listed.",
		},
		{
			Code: RejectedUnwritten, Title: "The rejected rows could not be written",
			Means: "Rows were rejected, and the file `FILE.rejected.csv` beside the imported one cannot be written. The rows that were right are imported.",
			Do:    "Make the folder writable, or copy the file to another; then import it again, which does no harm.",
		},
	})
	incomplete := in(AreaFiles, 4, []Entry{
		{
			Code: RowsRejected, Title: "Rows were rejected, and the import is strict",
			Means: "The rows that were right are imported; `--strict` makes the rejected ones a failure.",
			Do:    "Mend the rows in `FILE.rejected.csv` and import that file.",
		},
	})
	return slices.Concat(wrongUse, failed, incomplete)
}
