// SPDX-License-Identifier: BSD-3-Clause
// The smallest PV kernel that the lab's own tests can boot, so that they do not
// depend on halvm: prints its command line, then does what that says.
//
//   crash      reads an unmapped address, with no trap handler
//   overflow   runs into the guard page under its stack
//   spin       never ends
// else it says that it succeeded, and asks for a reboot.

        .macro  note type, value:vararg
        .align  4
        .long   4, 2f - 1f, \type
        .asciz  "Xen"
1:      \value
2:      .align  4
        .endm

        .section .note.Xen, "a", @note
        note    1, .quad tiny_entry
        note    3, .quad 0
        note    4, .quad 0
        note    5, .asciz "xen-3.0"
        note    6, .asciz "tiny"
        note    8, .asciz "generic"

        .bss
        .align  4096
        .globl  __stack_guard, __stack_bottom, __stack_top
__stack_guard:
        .skip   4096
__stack_bottom:
        .skip   8192
__stack_top:

        .text
        .globl  tiny_entry
        .type   tiny_entry, @function
// rsi: start_info. [xen/xen.h]
tiny_entry:
        mov     $__stack_top, %rsp
        lea     command_line_offset(%rsi), %rbx
        // update_va_mapping(guard, 0, UVMF_INVLPG)
        mov     $__stack_guard, %rdi
        xor     %esi, %esi
        mov     $2, %edx
        mov     $14, %eax
        syscall
        // The first word of the command line is the lab's token; the second begins after the space.
        mov     %rbx, %rsi
1:      lodsb
        test    %al, %al
        jz      succeed
        cmp     $' ', %al
        jne     1b
        mov     (%rsi), %al
        cmp     $'c', %al
        je      crash
        cmp     $'o', %al
        je      overflow
        cmp     $'s', %al
        je      spin

succeed:
        mov     $verdict, %rdi
        call    print
        // sched_op(SCHEDOP_shutdown, &{SHUTDOWN_reboot})
        mov     $29, %eax
        mov     $2, %edi
        mov     $reboot, %esi
        syscall
spin:   pause
        jmp     spin

        .type   crash, @function
crash:  mov     $reached, %rdi
        call    print
        mov     $0x7ff000000000, %rax
        mov     (%rax), %rax
        .size   crash, . - crash

        .type   overflow, @function
overflow:
        call    overflow
        .size   overflow, . - overflow

// rdi: text. console_io(CONSOLEIO_write, length, text)
        .type   print, @function
print:  mov     %rdi, %rdx
        xor     %esi, %esi
1:      cmpb    $0, (%rdx, %rsi)
        je      2f
        inc     %esi
        jmp     1b
2:      xor     %edi, %edi
        mov     $18, %eax
        syscall
        ret
        .size   print, . - print

        .section .rodata
verdict: .asciz "halvm test: tiny: SUCCESS\n"
reached: .asciz "about to crash\n"
reboot: .long   1
        .equ    command_line_offset, 128
