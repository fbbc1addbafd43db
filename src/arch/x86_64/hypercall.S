// SPDX-License-Identifier: BSD-3-Clause
// The hypercall stubs of a PV domain. There is no hypercall page that a speculating CPU may jump into (XSA-466):
// these are the only `syscall` instructions in the image, and ldkernel checks it.

        .section .text.hypercall, "ax", @progbits

// long halvm_hypercall(first rdi, second rsi, third rdx, fourth rcx, fifth r8, number r9)
// Xen wants the arguments in rdi rsi rdx r10 r8 and the number in rax; it changes rax, rcx and r11 only.
        .globl halvm_hypercall
        .type halvm_hypercall, @function
        .p2align 4
halvm_hypercall:
        .cfi_startproc
        mov     %rcx, %r10
        mov     %r9, %rax
        syscall
        ret
        .cfi_endproc
        .size halvm_hypercall, . - halvm_hypercall

// long halvm_hypercall_block(): SCHEDOP_block unmasks events by itself, atomically. It may come back with the
// mask clear (no upcall happened) or set (one did), so it is set here before anything else can run.
        .globl halvm_hypercall_block
        .type halvm_hypercall_block, @function
        .p2align 4
halvm_hypercall_block:
        .cfi_startproc
        mov     $29, %eax               // __HYPERVISOR_sched_op
        mov     $1, %edi                // SCHEDOP_block
        xor     %esi, %esi
        syscall
        movb    $1, halvm_shared_info + 1   // vcpu_info[0].evtchn_upcall_mask
        ret
        .cfi_endproc
        .size halvm_hypercall_block, . - halvm_hypercall_block

// Xen enters here for events, which are unmasked inside halvm_hypercall_block alone. The frame is
// rcx r11 rip cs rflags rsp ss. Nothing but that frame is discarded: the mask stays set, the pending bits stay
// for the scheduler to poll, and rcx and r11 need no restoring because `syscall` gave them up already.
        .globl halvm_event_upcall
        .type halvm_event_upcall, @function
        .p2align 4
halvm_event_upcall:
        mov     16(%rsp), %rcx
        mov     40(%rsp), %rsp
        jmp     *%rcx
        .size halvm_event_upcall, . - halvm_event_upcall

        .section .note.GNU-stack, "", @progbits
