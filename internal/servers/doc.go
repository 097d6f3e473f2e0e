// Package servers starts redis-server and PostgreSQL for a program that needs them for a while, with their data in
// a temporary folder: the benchmark does, and tests through internal/testkit. A server ends with the program that
// started it, however that dies. Only Unix has it.
package servers
