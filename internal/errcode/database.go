package errcode

// Why the database does not do what it should.
const (
	DatabaseAddress     Code = "database_address"
	DatabaseFolder      Code = "database_folder_missing"
	DatabaseLocked      Code = "database_locked"
	DatabaseForeign     Code = "database_not_sqlite"
	DatabaseReadOnly    Code = "database_not_writable"
	DatabaseDamaged     Code = "database_damaged"
	DatabaseFull        Code = "database_full"
	DatabaseUnreachable Code = "database_unreachable"
	DatabaseLogin       Code = "database_login_refused"
	DatabaseAbsent      Code = "database_absent"
	DatabaseBusy        Code = "database_busy"
	DatabaseNewer       Code = "database_newer"
	DatabaseNotMigrated Code = "database_not_migrated"
	DatabaseFailed      Code = "database_failed"
)

func database() []Entry {
	return in(AreaDatabase, 1, []Entry{
		{
			Code: DatabaseAddress, Title: "The database's address cannot be read",
			Means: "`database` in config.yaml is neither a path to an SQLite file nor a complete address of a PostgreSQL server.",
			Do:    "Write it as in the example.",
			Example: "database: sqlite:permesso.db\n" +
				"database: postgres://permesso@db.aurora.example:5432/permesso?sslmode=verify-full",
		},
		{
			Code: DatabaseFolder, Title: "The folder of the SQLite file is not there",
			Means: "permesso makes the file of the database, and not the folder that it lies in. A relative path begins at the folder of config.yaml.",
			Do:    "Make the folder, or correct `database` in config.yaml.",
		},
		{
			Code: DatabaseLocked, Title: "Another program has the SQLite file locked",
			Means: "The file stayed locked for five seconds or longer. permesso itself never holds it that long: it is another program, a backup, or a network drive.",
			Do:    "Close the other program, then try again. Keep the file on a local disk.",
		},
		{
			Code: DatabaseForeign, Title: "The file is not an SQLite database",
			Means: "Something else lies where the database should be, or the file was overwritten.",
			Do:    "Correct `database` in config.yaml, or move the file away; if it was the database, restore a backup before anything is sent.",
		},
		{
			Code: DatabaseReadOnly, Title: "The SQLite file cannot be opened for writing",
			Means: "This user may not write the file, or may not make files in its folder, as SQLite has to.",
			Do:    "Check the owner and permissions of the file and of its folder, and that the disk is not mounted read-only.",
		},
		{
			Code: DatabaseDamaged, Title: "The SQLite file is damaged",
			Means: "A part of the file does not hold what it must. Nothing more is sent from it, since stops may be missing.",
			Do:    "Stop every permesso and restore a backup, then import the suppressions that came since with `permesso suppress import FILE`.",
		},
		{
			Code: DatabaseFull, Title: "There is no space left for the database",
			Means: "The disk is full. What was confirmed before is kept.",
			Do:    "Make space, then repeat the verb; a running `permesso serve` goes on by itself.",
		},
		{
			Code: DatabaseUnreachable, Title: "The database server does not answer",
			Means: "No connection to the PostgreSQL server came about, or it broke. Nothing is sent meanwhile.",
			Do:    "Check that the server runs, and host, port and `sslmode` of `database` in config.yaml.",
		},
		{
			Code: DatabaseLogin, Title: "The database server refuses the user",
			Means: "Name or password is wrong, the user may not use this database, or the server takes no connection from here.",
			Do:    "Check user and password of `database` in config.yaml, and the server's pg_hba.conf.",
		},
		{
			Code: DatabaseAbsent, Title: "The server has no such database",
			Means: "The server answers, and the name at the end of the address is unknown to it.",
			Do:    "Make the database, such as with `createdb permesso`, or correct the name.",
		},
		{
			Code: DatabaseBusy, Title: "The same rows kept changing underneath",
			Means: "Another process wrote to the same people or rows at the same time, and several tries in a row came too late. Nothing was left half done.",
			Do:    "Repeat the verb; do not import the same people twice at the same time.",
		},
		{
			Code: DatabaseNewer, Title: "The database is newer than this program",
			Means: "A newer permesso has changed its shape, and this one would not understand what stands in it.",
			Do:    "Run the newer permesso, or restore the backup from before its migration.",
		},
		{
			Code: DatabaseNotMigrated, Title: "The database wants migrations",
			Means: "The PostgreSQL database is older than this program. It is in use, so it is not changed by itself.",
			Do:    "Run `permesso migrate` once; `permesso migrate status` lists what it would apply.",
		},
		{
			Code: DatabaseFailed, Title: "The database refused a statement",
			Means: "The database answers, and could not do what was asked; the sentence holds its own words. The transaction was undone as a whole.",
			Do:    "Repeat the verb. If it stays, look at the database's own log, and report it with what was printed.",
		},
	})
}
