// SPDX-License-Identifier: BSD-3-Clause
// Where Xen's domain builder starts a PV kernel, and the notes that tell it how. [xen/elfnote.h]
#define __ASSEMBLY__
#include <xen/elfnote.h>

        .macro note type, value:vararg
        .pushsection .note.Xen, "a", @note
        .p2align 2
        .long 4, 9f - 8f, \type
        .asciz "Xen"
8:      \value
9:      .p2align 2
        .popsection
        .endm

        note XEN_ELFNOTE_GUEST_OS, .asciz "halvm"
        note XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0"
        note XEN_ELFNOTE_LOADER, .asciz "generic"
        note XEN_ELFNOTE_VIRT_BASE, .quad 0
        note XEN_ELFNOTE_PADDR_OFFSET, .quad 0
        note XEN_ELFNOTE_ENTRY, .quad halvm_pv_entry
        note XEN_ELFNOTE_PAE_MODE, .asciz "yes"
        // A page-table entry holds a frame where its present bit is set: the mask and the value of that bit.
        note XEN_ELFNOTE_L1_MFN_VALID, .quad 1, 1

        .section .text.entry, "ax", @progbits
        .globl halvm_pv_entry
        .type halvm_pv_entry, @function
// In: rsi = start_info, rsp = the builder's one page of stack. Events are masked.
halvm_pv_entry:
        .cfi_startproc
        .cfi_undefined %rip             // a backtrace ends here
        cld
        mov     $__stack_top, %esp      // 1. Our own stack: the builder's is not mapped for long.
        xor     %ebp, %ebp
        mov     %rsi, %rdi
        call    halvm_pv_start          // 2. Never returns.
        ud2
        .cfi_endproc
        .size halvm_pv_entry, . - halvm_pv_entry

        .section .note.GNU-stack, "", @progbits
