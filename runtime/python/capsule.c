/* SPDX-License-Identifier: MIT
 *
 * capsule.c - Python's capsules around DLPack's managed tensors.
 *
 * In: a managed tensor. Out: a capsule, which owns it until a consumer takes
 * it out. Invariant: a capsule that nobody has consumed gives its tensor back,
 * once, when it dies; a consumed one was renamed and is left alone.
 *
 * This must be C: the capsule may die while an exception is on its way (a
 * consumer that refuses a dtype), and a callback in Python would lose it; and
 * it may die late in the interpreter's end. The three functions are of
 * Python's stable ABI, with these signatures since 3.2, and are found in the
 * process that loads this library; without Python.h one build serves every
 * Python 3.
 */
#include "dlpack_abi.h"

/* Those of Python.h: PyObject is only pointed to. */
extern void *PyCapsule_New(void *pointer, const char *name,
                           void (*destructor)(void *));
extern int PyCapsule_IsValid(void *capsule, const char *name);
extern void *PyCapsule_GetPointer(void *capsule, const char *name);

/* A capsule keeps the pointer to its name. */
static const char name_of_versioned[] = "dltensor_versioned";
static const char name_of_legacy[] = "dltensor";

/* DLPack before 1.0. */
struct legacy {
    DLTensor tensor;
    void *manager_ctx;
    void (*deleter)(struct legacy *self);
};

__attribute__((visibility("default"))) void *
ttsb_capsule_new(void *managed, int32_t versioned);

static void drop(void *capsule)
{
    if (PyCapsule_IsValid(capsule, name_of_versioned)) {
        DLManagedTensorVersioned *m =
            PyCapsule_GetPointer(capsule, name_of_versioned);
        m->deleter(m);
    } else if (PyCapsule_IsValid(capsule, name_of_legacy)) {
        struct legacy *m = PyCapsule_GetPointer(capsule, name_of_legacy);
        m->deleter(m);
    }
}

/* A new reference to a capsule that owns `managed`, a DLManagedTensorVersioned
 * or, of DLPack before 1.0, a DLManagedTensor; NULL with an exception set if
 * there is no memory: `managed` is then the caller's. Called with the
 * interpreter's lock held, as is `drop`. */
void *ttsb_capsule_new(void *managed, int32_t versioned)
{
    return PyCapsule_New(managed,
                         versioned ? name_of_versioned : name_of_legacy, drop);
}
