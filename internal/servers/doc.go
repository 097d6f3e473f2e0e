// Package servers starts real servers for tests and for the benchmark: redis-server and PostgreSQL, on
// free ports, with their data in a temporary folder. A server ends with the program that started it,
// however that dies. Only Unix has it.
package servers
