/* Shows what a guest is given: arguments, environment, standard input. The exit code is the first argument. */
#include <stdio.h>
#include <stdlib.h>

extern char **environ;

int main(int argc, char **argv) {
    for (int i = 0; i < argc; i++) printf("arg %d: %s\n", i, argv[i]);
    for (char **entry = environ; entry && *entry; entry++) printf("env: %s\n", *entry);
    char line[256];
    while (fgets(line, sizeof line, stdin)) printf("stdin: %s", line);
    fprintf(stderr, "hello from %s\n", argv[0]);
    return argc > 1 ? atoi(argv[1]) : 0;
}
