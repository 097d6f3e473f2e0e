package journal_test

func childProcess() {}
