// Package table reads the tables that people's spreadsheets and vendors write: order files and statements.
//
// What can be found out is found out: the encoding, the line breaks, the delimiter, where the header is, and which of
// its columns is which, whatever their case, accents and language. What a row says is never guessed: a row that is
// too long, too short or broken is returned as such, with its line, and stops no other. What is not a row (what
// stands before the header, totals, footers) is passed over with a note.
//
// Memory is bounded: a table of any length is read as a stream.
package table
