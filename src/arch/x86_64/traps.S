// SPDX-License-Identifier: BSD-3-Clause
// Entry of faults. Xen pushes its frame on the stack that was in use: rcx r11 [error code] rip cs rflags rsp ss.
// No trap ever returns, so there is no way back in this file.

        .text

// One entry a vector: brings the frame to one shape and pushes the vector.
        .macro trap vector, has_error_code
halvm_trap_\vector:
        .if \has_error_code
        .else
        push    (%rsp)                  // rcx again, one slot lower,
        mov     16(%rsp), %r11          // and r11, whose register Xen has saved,
        mov     %r11, 8(%rsp)
        movq    $0, 16(%rsp)            // so that the slot above them holds an error code of 0
        .endif
        pushq   $\vector
        jmp     trap_common
        .endm

        .irp vector, 0, 1, 2, 3, 4, 5, 6, 7, 9, 16, 18, 19
        trap \vector, 0
        .endr
        .globl halvm_nmi
halvm_nmi = halvm_trap_2
        .irp vector, 8, 10, 11, 12, 13, 14, 17
        trap \vector, 1
        .endr

        .globl halvm_failsafe
        .p2align 4
halvm_failsafe:                         // Xen could not restore our segments: rcx r11 ds es fs gs rip ...
        add     $48, %rsp
        pushq   $0
        pushq   $0
        pushq   $0
        pushq   $256
        jmp     trap_common

// Stores the rest of struct trap_frame and calls halvm_trap(frame). The CFI describes the interrupted function,
// so that the unwinder walks from here into it.
        .type trap_common, @function
        .p2align 4
trap_common:
        .cfi_startproc
        .cfi_signal_frame
        .cfi_def_cfa %rsp, 72
        .cfi_offset %rip, -40
        .cfi_offset %rsp, -16
        push    %rdi
        push    %rsi
        push    %rdx
        push    %rax
        push    %r8
        push    %r9
        push    %r10
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        .cfi_def_cfa %rsp, 176
        .cfi_offset %rcx, -64
        .cfi_offset %r11, -56
        .cfi_offset %rdi, -80
        .cfi_offset %rsi, -88
        .cfi_offset %rdx, -96
        .cfi_offset %rax, -104
        .cfi_offset %r8, -112
        .cfi_offset %r9, -120
        .cfi_offset %r10, -128
        .cfi_offset %rbx, -136
        .cfi_offset %rbp, -144
        .cfi_offset %r12, -152
        .cfi_offset %r13, -160
        .cfi_offset %r14, -168
        .cfi_offset %r15, -176
        cld
        mov     %rsp, %rdi
        mov     %rsp, %rbx              // keeps the CFA findable while the stack is aligned for the call
        .cfi_def_cfa_register %rbx
        and     $-16, %rsp
        call    halvm_trap
        ud2
        .cfi_endproc
        .size trap_common, . - trap_common

// struct { vector, address } for install_traps(), ended by an address of 0.
        .section .rodata
        .globl halvm_trap_entries
        .p2align 3
halvm_trap_entries:
        .irp vector, 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19
        .quad \vector, halvm_trap_\vector
        .endr
        .quad 0, 0

        .section .note.GNU-stack, "", @progbits
