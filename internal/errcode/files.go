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
	FileUTF32         Code = "file_in_utf32"
	FileEncoding      Code = "file_encoding_unknown"
	FileSeparator     Code = "file_separator_unknown"
	FileNotText       Code = "file_not_text"
	FileNotJSON       Code = "file_not_json"
	HeaderUnreadable  Code = "header_unreadable"
	HeaderMissing     Code = "header_missing"
	HeaderTooWide     Code = "header_too_wide"
	WorkbookOther     Code = "workbook_of_another_kind"
	WorkbookLocked    Code = "workbook_protected"
	WorkbookNoSheet   Code = "workbook_without_sheet"
	WorkbookTooLarge  Code = "workbook_too_large"
	WorkbookNoFile    Code = "workbook_not_in_a_file"
	WorkbookDamaged   Code = "workbook_damaged"
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
			Code: FileWorkbook, Title: "The file is an archive and no Excel workbook",
			Means: "What lies in it is packed, and of packed files workbooks (.xlsx) alone are read.",
			Do:    "Unpack it and import what is inside.",
		},
		{
			Code: FileCompressed, Title: "The file is compressed",
			Means: "Its rows cannot be read before it is unpacked.",
			Do:    "Unpack it, as with `gunzip FILE.gz`, and import what is inside.",
		},
		{
			Code: FileUTF32, Title: "The file is encoded in UTF-32",
			Means: "UTF-8, UTF-16 and Windows-1252 are read.",
			Do:    "Save it as \"CSV UTF-8\" and import that.",
		},
		{
			Code: FileEncoding, Title: "The file's encoding is not known",
			Means: "It is not UTF-8, and read as Windows-1252 it holds characters that no text has.",
			Do:    "Save it as \"CSV UTF-8\" and import that.",
		},
		{
			Code: FileSeparator, Title: "The first line names a separator that is not read",
			Means: "A line `sep=` tells spreadsheets what separates the columns; comma, semicolon and tab are read.",
			Do:    "Separate the columns with one of these, or delete the line that begins with `sep=`.",
		},
		{
			Code: HeaderTooWide, Title: "The header has too many columns",
			Means: "Nobody has that many attributes; mostly the separator is wrong, or a table of something else was exported.",
			Do:    "Keep the columns that are needed, or check the separator.",
		},
		{
			Code: WorkbookOther, Title: "The spreadsheet is not of the kind that is read",
			Means: "Of spreadsheets, Excel workbooks (.xlsx) are read; not .xls, .xlsb or OpenDocument.",
			Do:    "Save it as \"Excel Workbook\" (.xlsx) or \"CSV UTF-8\" and import that.",
		},
		{
			Code: WorkbookLocked, Title: "The workbook is protected by a password",
			Means: "What is in it cannot be read without it.",
			Do:    "Take the password off, save it, and import it again.",
		},
		{
			Code: WorkbookNoSheet, Title: "The workbook has no sheet that can be seen",
			Means: "Of its sheets the first that is not hidden is read, and there is none with cells.",
			Do:    "Show the one with the rows, save it, and import it again.",
		},
		{
			Code: WorkbookTooLarge, Title: "The workbook unpacks to far too much",
			Means: "A small file can be made to fill a disk. What it would unpack to is more than any list of people needs.",
			Do:    "Copy the rows into a new workbook, or save the sheet as \"CSV UTF-8\", and import that.",
		},
		{
			Code: WorkbookNoFile, Title: "A large workbook must lie on disk",
			Means: "The table of what is in it stands at its end, which a pipe has to keep in memory to reach.",
			Do:    "Save it and name the file.",
		},
		{
			Code: WorkbookDamaged, Title: "The workbook is damaged",
			Means: "A part of it is missing or is not what a workbook has there, as when copying it broke off.",
			Do:    "Open and save it in a spreadsheet program, and import it again.",
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
