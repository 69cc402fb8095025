/* SPDX-License-Identifier: MIT
 *
 * test_cuda_device.c - the upload on a real device.
 *
 * In: a blob whose payload is not all alike. Out: every byte of every device
 * group read back and compared with the mapping. Skipped (exit 77) where
 * there is no device; test_runtime_cuda covers the errors without one.
 */
#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ttsb.h"
#include "ttsb_cuda.h"

#define SKIPPED 77

static int compare_group(const struct ttsb_blob *blob, uint32_t i,
                         const void *base)
{
    struct ttsb_group g = {.struct_size = sizeof g};
    void *back;
    int different;
    ttsb_group_at(blob, i, &g);
    if (g.place == TTSB_PLACE_HOST || g.size == 0)
        return base != g.data && g.size != 0;
    back = malloc((size_t)g.size);
    if (back == NULL || cudaMemcpy(back, base, (size_t)g.size,
                                   cudaMemcpyDeviceToHost) != cudaSuccess)
        different = 1;
    else
        different = memcmp(back, g.data, (size_t)g.size) != 0;
    free(back);
    printf("group %s: %llu bytes %s\n", g.name, (unsigned long long)g.size,
           different ? "DIFFER" : "equal");
    return different;
}

int main(int argc, char **argv)
{
    struct ttsb_error error = {.struct_size = sizeof error};
    struct ttsb_info info = {.struct_size = sizeof info};
    struct ttsb_cuda_image *image;
    struct ttsb_blob *blob;
    int devices = 0, different = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
        printf("skipped: no CUDA device\n");
        return SKIPPED;
    }
    if (argc != 2 || ttsb_open(argv[1], NULL, &blob, &error) != TTSB_OK ||
        ttsb_cuda_upload(blob, NULL, &image, &error) != TTSB_OK) {
        printf("%s\n", error.text);
        return 1;
    }
    ttsb_info(blob, &info);
    for (uint32_t i = 0; i < info.group_count; i++)
        different += compare_group(blob, i, ttsb_cuda_bases(image)[i]);
    ttsb_cuda_release(image);
    ttsb_close(blob);
    return different != 0;
}
