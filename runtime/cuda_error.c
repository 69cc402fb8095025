/* SPDX-License-Identifier: MIT
 *
 * cuda_error.c - failures of the upload, and its clock.
 *
 * In: a status, the call that failed, and its words. Out: the caller's struct
 * ttsb_error. Invariant: only public calls of libttsb; nothing is written to a
 * struct whose struct_size is none.
 */
#include "cuda_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void ttsb__cuda_tell(struct ttsb_error *error, const struct ttsb_error *value)
{
    uint32_t room;
    if (error == NULL || error->struct_size < sizeof(*value) ||
        error->struct_size > TTSB__CUDA_STRUCT)
        return;
    room = error->struct_size;
    memset(error, 0, room);
    *error = *value;
    error->struct_size = room;
}

int32_t ttsb__cuda_fail(struct ttsb_error *error, int32_t status,
                        const char *call, const char *words)
{
    struct ttsb_error value = {.status = status, .tensor = TTSB_NO_TENSOR};
    snprintf(value.field, sizeof(value.field), "%s", call);
    if (words == NULL)
        snprintf(value.text, sizeof(value.text), "%s: by %s",
                 ttsb_status_text(status), call);
    else
        snprintf(value.text, sizeof(value.text), "%s: %s said: %s",
                 ttsb_status_text(status), call, words);
    ttsb__cuda_tell(error, &value);
    return status;
}

void ttsb__cuda_forget(cudaError_t result)
{
    if (result != cudaSuccess)
        cudaGetLastError();
}

int32_t ttsb__cuda_check(cudaError_t result, int32_t status, const char *call,
                         struct ttsb_error *error)
{
    if (result == cudaSuccess)
        return TTSB_OK;
    ttsb__cuda_forget(result); /* it is told here */
    return ttsb__cuda_fail(error, status, call, cudaGetErrorString(result));
}

int32_t ttsb__cuda_bad(struct ttsb_error *error, const char *argument)
{
    struct ttsb_error value = {.status = TTSB_BAD_ARGUMENT,
                               .tensor = TTSB_NO_TENSOR};
    snprintf(value.field, sizeof(value.field), "%s", argument);
    snprintf(value.text, sizeof(value.text), "the argument '%s' is not valid",
             argument);
    ttsb__cuda_tell(error, &value);
    return TTSB_BAD_ARGUMENT;
}

int32_t ttsb__cuda_system(struct ttsb_error *error, int32_t status,
                          const char *call, int cause)
{
    struct ttsb_error value = {
        .status = status, .system_errno = cause, .tensor = TTSB_NO_TENSOR};
    char words[128];
    snprintf(value.field, sizeof(value.field), "%s", call);
    snprintf(value.text, sizeof(value.text), "%s: %s: %s",
             ttsb_status_text(status), call,
             strerror_r(cause, words, sizeof(words)));
    ttsb__cuda_tell(error, &value);
    return status;
}

uint64_t ttsb__cuda_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}
