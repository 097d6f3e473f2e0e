// Package table reads the tables that people's spreadsheets and vendors write: order files and statements.
//
// It finds out the encoding, the line breaks, the delimiter, where the header is, and which column is which, whatever
// their case, accents and language. It never guesses what a row says: it returns a row that is too long, too short or
// broken as such, with its line, and the row stops no other. It skips what is not a row (lines before the header,
// totals, footers) with a note.
//
// Memory is bounded: a table of any length is read as a stream.
package table
