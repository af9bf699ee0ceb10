/*
 * The CUDA driver's functions for a program that must also start where there is no driver.
 *
 * candle asks the linker for libcuda. That library comes with NVIDIA's driver and is not on a machine that only builds, and a
 * program linked to it would not even print its help without it. This file becomes libcuda.a instead: as the program
 * starts, it looks for the driver's libcuda.so.1, and every function jumps on to the driver's own. Where there is no driver, or an
 * older one lacks a function, the function returns CUDA_ERROR_STUB_LIBRARY, which coilsight-trainer explains.
 *
 * calls.h has one line CALL(cuName) for each function that the bindings declare; deploy/cuda/toolkit writes it.
 */
#include <dlfcn.h>
#include <stddef.h>

#ifndef __x86_64__
#error "deploy/cuda is for x86-64: a jump for this processor is to be added here, and its wheels to requirements.txt"
#endif

static int no_driver(void) { return 34; /* CUDA_ERROR_STUB_LIBRARY */ }

/* A jump, for then arguments need not be known: they lie where the driver's function looks for them. */
#define CALL(name)                                                                                   \
    __attribute__((visibility("hidden"))) void *coilsight_to_##name = (void *)no_driver;              \
    __asm__(".text\n.globl " #name "\n.hidden " #name "\n.type " #name ", @function\n" #name          \
            ":\n\tjmp *coilsight_to_" #name "(%rip)\n.size " #name ", . - " #name "\n");
#include "calls.h"
#undef CALL

static const struct {
    const char *name;
    void **to;
} calls[] = {
#define CALL(name) {#name, &coilsight_to_##name},
#include "calls.h"
#undef CALL
};

__attribute__((constructor)) static void find_driver(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (driver == NULL)
        return;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        void *found = dlsym(driver, calls[i].name);
        if (found != NULL)
            *calls[i].to = found;
    }
}
