/* SPDX-License-Identifier: MIT */
/*
 * Lets `clang -target bpf` read the headers of a kernel that was built for a real machine.
 *
 * `kheadersfs cflags --bpf` includes this after the kernel's configuration and before
 * everything else. The headers themselves stay as they are.
 */
#ifndef KHEADERSFS_BPF_TARGET_H
#define KHEADERSFS_BPF_TARGET_H

/*
 * 1. What the compiler for the real machine defines, and the kernel's headers ask for.
 */
#if defined(CONFIG_X86_64)
#define __x86_64__ 1
#elif defined(CONFIG_X86_32)
#define __i386__ 1
#elif defined(CONFIG_ARM64)
#define __aarch64__ 1
#ifdef CONFIG_CPU_BIG_ENDIAN
#define __AARCH64EB__ 1
#endif
#elif defined(CONFIG_ARM)
#define __arm__ 1
#define __ARM_EABI__ 1
#ifdef CONFIG_CPU_BIG_ENDIAN
#define __ARMEB__ 1
#endif
#elif defined(CONFIG_RISCV)
#define __riscv 1
#define __riscv_muldiv 1
#ifdef CONFIG_64BIT
#define __riscv_xlen 64
#else
#define __riscv_xlen 32
#endif
#elif defined(CONFIG_PPC)
#define __powerpc__ 1
#ifdef CONFIG_PPC64
#define __powerpc64__ 1
#define __PPC64__ 1
#endif
#elif defined(CONFIG_S390)
#define __s390__ 1
#define __s390x__ 1
#elif defined(CONFIG_MIPS)
#define __mips__ 1
#define _MIPS_SZINT 32
#ifdef CONFIG_64BIT
#define __mips64 1
#define _MIPS_SIM 3 /* the n64 ABI */
#define _MIPS_SZLONG 64
#define _MIPS_SZPTR 64
#else
#define _MIPS_SIM 1 /* the o32 ABI */
#define _MIPS_SZLONG 32
#define _MIPS_SZPTR 32
#endif
#ifdef CONFIG_CPU_BIG_ENDIAN
#define __MIPSEB__ 1
#else
#define __MIPSEL__ 1
#endif
#elif defined(CONFIG_LOONGARCH)
#define __loongarch__ 1
#define __loongarch64 1
#endif

#if defined(CONFIG_CPU_BIG_ENDIAN) && __BYTE_ORDER__ != __ORDER_BIG_ENDIAN__
#error "these headers are of a big-endian kernel: compile with -target bpfeb"
#elif !defined(CONFIG_CPU_BIG_ENDIAN) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "these headers are of a little-endian kernel: compile with -target bpfel"
#endif

/*
 * BPF knows only 64-bit longs and pointers, so structures with them come out too large. Headers
 * go by the sizes that the compiler states, and compare them with their own (seen on 7.2).
 * Assertions would say no more than the warning does. size_t stays the compiler's, as it knows
 * memcmp() and others by it; headers take one that is defined.
 */
#ifndef CONFIG_64BIT
#warning "headers of a 32-bit kernel: -target bpf lays out its structures wrongly, use CO-RE"
#undef __SIZEOF_LONG__
#undef __SIZEOF_POINTER__
#define __SIZEOF_LONG__ 4
#define __SIZEOF_POINTER__ 4
#define _Static_assert(...) _Static_assert(1, "")
typedef __SIZE_TYPE__ __kernel_size_t;
typedef __PTRDIFF_TYPE__ __kernel_ssize_t, __kernel_ptrdiff_t;
#define __kernel_size_t __kernel_size_t
#endif

/*
 * 2. Byte order conversion by the compiler, not by the machine's instructions.
 */
#ifndef __HAVE_BUILTIN_BSWAP16__
#define __HAVE_BUILTIN_BSWAP16__ 1
#define __HAVE_BUILTIN_BSWAP32__ 1
#define __HAVE_BUILTIN_BSWAP64__ 1
#endif

/*
 * 3. What the configuration says of the compiler that built the kernel, and is not true here.
 */

/*
 * x86, seen on 6.12 and 7.2 built by gcc: per-CPU variables lie in the address spaces __seg_gs
 * and __seg_fs, which only a compiler for x86 has. Without, they are read by inline assembly,
 * so that a program which reads one is told; an empty __seg_gs would have it read another place.
 */
#undef CONFIG_CC_HAS_NAMED_AS
#undef CONFIG_USE_X86_SEG_SUPPORT

/* All machines, seen on 7.2 built by gcc 14 or later: clang has __typeof_unqual__() since 19. */
#if __clang_major__ < 19
#undef CONFIG_CC_HAS_TYPEOF_UNQUAL
#endif

/* All machines, seen on 7.2 built by gcc 16: they only help to check bounds at run time. */
#undef CONFIG_CC_HAS_COUNTED_BY
#undef CONFIG_CC_HAS_COUNTED_BY_PTR

/* Headers with debug messages name the module that they are compiled into. */
#ifndef KBUILD_MODNAME
#define KBUILD_MODNAME "bpf"
#endif

/*
 * 4. Inline assembly.
 *
 * Clang checks the constraints and register names of every asm that it reads, also in
 * inline functions that nobody calls, and those of a real machine mean nothing to the
 * bpf target. So each becomes an asm that passes this check, wherever C allows one:
 *
 *	asm("..." : "=r"(x) : "r"(y));			all in parentheses is replaced
 *	register unsigned long sp asm("...");		as above; r10 is a register of BPF
 *	asm volatile("..."); asm goto("...");		what follows the qualifier is replaced
 *
 * An inline function that a program does call must not silently do nothing, so the
 * compiler stops there and says why: ".error" does that and, as an instruction, "r10",
 * which is made a macro.
 *
 * A program with assembly of its own uses __asm and __volatile, which stay usable.
 */
#define KHEADERSFS_REFUSED ".error \"inline assembly of the kernel cannot run in a BPF program\""

/*
 * Headers of some architectures have an asm outside of any function too, which has to have no
 * effect. The assembler reads all of these in one go, before the first function and each asm
 * in a function by itself, so .altmacro holds only for them: it makes the argument %1 a 1.
 * A text that -S writes is one go in all; assembled later, it is not refused.
 */
#if defined(CONFIG_ARM) || defined(CONFIG_S390) || defined(CONFIG_MIPS) || \
	defined(CONFIG_LOONGARCH)
__asm(".altmacro\n"
      ".macro kheadersfs_asm outside\n"
      ".ifnc \\outside,1\n" KHEADERSFS_REFUSED "\n.endif\n"
      ".endm\n"
      ".macro r10\nkheadersfs_asm %1\n.endm");
#else
__asm(".macro r10\n" KHEADERSFS_REFUSED "\n.endm");
#endif

/*
 * A call of a function that is declared const or pure is left out where its result is known or,
 * as after a replaced asm, undefined, and the refusal with it (seen in get_current() of arm). So
 * both attributes become an empty list: only their names make the second argument another.
 */
#define KHEADERSFS_ATTRIBUTE_const ~, ()
#define KHEADERSFS_ATTRIBUTE___const__ ~, ()
#define KHEADERSFS_ATTRIBUTE_pure ~, ()
#define KHEADERSFS_ATTRIBUTE___pure__ ~, ()
#define KHEADERSFS_ATTRIBUTE(name, ...) KHEADERSFS_ATTRIBUTE_##name
#define KHEADERSFS_SECOND(first, second, ...) second
#define KHEADERSFS_EXPANDED_SECOND(...) KHEADERSFS_SECOND(__VA_ARGS__)
#define __attribute__(list) \
	__attribute(KHEADERSFS_EXPANDED_SECOND(KHEADERSFS_ATTRIBUTE list, list, ~))

/* These three emit no instruction on any machine, and programs do use them. */
#define barrier() __asm __volatile("" : : : "memory")
#define barrier_data(pointer) __asm __volatile("" : : "r"(pointer) : "memory")
#define OPTIMIZER_HIDE_VAR(variable) __asm("" : "+r"(variable))

/* arm: the compiler's only way to the current task; the bpf target cannot compile it at all. */
#define __builtin_thread_pointer() ({ __asm __volatile(KHEADERSFS_REFUSED); (void *)0; })

#define asm(...) __asm("r10")
#define __asm__(...) __asm("r10")
#define volatile(...) (KHEADERSFS_REFUSED)
#define __volatile__(...) (KHEADERSFS_REFUSED)
#define goto(...) (KHEADERSFS_REFUSED)
#define __inline(...) ("r10")

/*
 * 5. What makes the compiler crash.
 *
 * With -g, clang (seen in 14 and 19) takes a wrong type for an external function that is declared
 * by a typedef, "typedef int f_t(...); f_t f;", and used, also by inline functions that nobody
 * calls. The headers have two, in net/inet_hashtables.h and net/inet6_hashtables.h of 6.12 and
 * 7.2. A pointer to a function is no such function, and its uses here mean the same.
 */
#define inet_ehashfn (*inet_ehashfn)
#define inet6_ehashfn (*inet6_ehashfn)

#endif
