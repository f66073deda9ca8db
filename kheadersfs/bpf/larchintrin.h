/* SPDX-License-Identifier: MIT */
/*
 * The compiler's own header for LoongArch, as far as the kernel's headers use it, for
 * `clang -target bpf`: its functions can be read, and a program that calls one is told.
 */
#ifndef KHEADERSFS_LARCHINTRIN_H
#define KHEADERSFS_LARCHINTRIN_H

#define KHEADERSFS_LOONGARCH_ONLY \
	__attribute__((error("LoongArch instructions cannot run in a BPF program")))

int __cpucfg(int) KHEADERSFS_LOONGARCH_ONLY;

unsigned int __csrrd_w(unsigned int) KHEADERSFS_LOONGARCH_ONLY;
unsigned int __csrwr_w(unsigned int, unsigned int) KHEADERSFS_LOONGARCH_ONLY;
unsigned int __csrxchg_w(unsigned int, unsigned int, unsigned int) KHEADERSFS_LOONGARCH_ONLY;
unsigned long __csrrd_d(unsigned int) KHEADERSFS_LOONGARCH_ONLY;
unsigned long __csrwr_d(unsigned long, unsigned int) KHEADERSFS_LOONGARCH_ONLY;
unsigned long __csrxchg_d(unsigned long, unsigned long, unsigned int) KHEADERSFS_LOONGARCH_ONLY;

unsigned int __iocsrrd_w(unsigned int) KHEADERSFS_LOONGARCH_ONLY;
unsigned long __iocsrrd_d(unsigned int) KHEADERSFS_LOONGARCH_ONLY;
void __iocsrwr_w(unsigned int, unsigned int) KHEADERSFS_LOONGARCH_ONLY;
void __iocsrwr_d(unsigned long, unsigned int) KHEADERSFS_LOONGARCH_ONLY;

#endif
