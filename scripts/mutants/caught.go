package main

// by is what caught each mutant the last time. It is tried first; if it does not catch it any more, all others are.
var by = map[string]string{}
