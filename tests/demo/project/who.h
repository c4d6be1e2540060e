/* Whom to greet: the first argument, else the machine. */
const char *who(int argc, char **argv);
