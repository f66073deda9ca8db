/* A program that does nothing, of the kind that KIND names as a section does. It needs no headers. */
#define SECTION(name) __attribute__((section(name), used))

char _license[] SECTION("license") = "GPL";

SECTION(KIND)
int empty(unsigned long long *context)
{
	return 0;
}
