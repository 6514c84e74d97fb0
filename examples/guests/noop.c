/* Does nothing and succeeds: what a job costs beside its own work. */
int main(void) { return 0; }
