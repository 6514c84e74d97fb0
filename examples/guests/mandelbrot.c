/* Draws one tile of the Mandelbrot set and writes it as /out/tile.png.
 *
 * Arguments: X Y ZOOM [SIZE [ITERATIONS]]: tile X, Y of the 2^ZOOM by 2^ZOOM tiles over the square from -2-1.5i to 1+1.5i,
 * SIZE pixels wide and high (default 256), at most ITERATIONS steps for each pixel (default 256). */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "icn_mesh_v1.h"

static uint32_t crc_table[256];
static FILE *out;

static void put32(uint32_t n) {
    for (int shift = 24; shift >= 0; shift -= 8) fputc((int)(n >> shift & 255), out);
}

static uint32_t crc(uint32_t sum, const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) sum = crc_table[(sum ^ bytes[i]) & 255] ^ sum >> 8;
    return sum;
}

static void chunk(const char *type, const uint8_t *bytes, size_t len) {
    put32((uint32_t)len);
    fwrite(type, 1, 4, out);
    fwrite(bytes, 1, len, out);
    put32(~crc(crc(~0u, (const uint8_t *)type, 4), bytes, len));
}

/* Wraps bytes in a zlib stream of stored blocks: no compression, and no library. */
static size_t store(uint8_t *to, const uint8_t *from, size_t len) {
    uint8_t *p = to;
    uint32_t a = 1, b = 0;
    *p++ = 0x78, *p++ = 0x01;
    for (size_t at = 0; at < len;) {
        size_t part = len - at < 65535 ? len - at : 65535;
        *p++ = at + part == len;
        *p++ = (uint8_t)part, *p++ = (uint8_t)(part >> 8);
        *p++ = (uint8_t)~part, *p++ = (uint8_t)(~part >> 8);
        for (size_t i = 0; i < part; i++) {
            uint8_t byte = from[at + i];
            a = (a + byte) % 65521, b = (b + a) % 65521;
            *p++ = byte;
        }
        at += part;
    }
    for (int shift = 8; shift >= 0; shift -= 8) *p++ = (uint8_t)(b >> shift);
    for (int shift = 8; shift >= 0; shift -= 8) *p++ = (uint8_t)(a >> shift);
    return (size_t)(p - to);
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "arguments: X Y ZOOM [SIZE [ITERATIONS]]\n");
        return 2;
    }
    double x = atof(argv[1]), y = atof(argv[2]), step = 3.0 / (double)(1ull << (atoi(argv[3]) & 31));
    int size = argc > 4 ? atoi(argv[4]) : 256, iterations = argc > 5 ? atoi(argv[5]) : 256;
    if (size < 1 || size > 4096 || iterations < 1) {
        fprintf(stderr, "SIZE is 1 to 4096, ITERATIONS at least 1\n");
        return 2;
    }
    size_t row = (size_t)size * 3 + 1, len = row * (size_t)size;
    uint8_t *pixels = malloc(len), *packed = malloc(len + len / 65535 * 5 + 16);
    if (!pixels || !packed) {
        fprintf(stderr, "no memory for %zu bytes\n", len);
        return 1;
    }
    for (int j = 0; j < size; j++) {
        uint8_t *p = pixels + row * (size_t)j;
        *p++ = 0;
        for (int i = 0; i < size; i++) {
            double cr = -2.0 + step * (x + (i + 0.5) / size), ci = -1.5 + step * (y + (j + 0.5) / size);
            double zr = 0, zi = 0;
            int n = 0;
            while (n < iterations && zr * zr + zi * zi <= 4.0) {
                double t = zr * zr - zi * zi + cr;
                zi = 2 * zr * zi + ci, zr = t, n++;
            }
            int inside = n == iterations;
            *p++ = (uint8_t)(inside ? 0 : n * 5), *p++ = (uint8_t)(inside ? 0 : n * 3), *p++ = (uint8_t)(inside ? 0 : 64 + n * 2);
        }
        if (j % 32 == 0) host_report_progress((uint32_t)(1000000ull * (uint64_t)j / (uint64_t)size), "rows", 4);
    }
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t c = n;
        for (int bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
        crc_table[n] = c;
    }
    out = fopen("/out/tile.png", "w");
    if (!out) {
        perror("/out/tile.png");
        return 1;
    }
    fwrite("\x89PNG\r\n\x1a\n", 1, 8, out);
    uint8_t head[13] = {0, 0, (uint8_t)(size >> 8), (uint8_t)size, 0, 0, (uint8_t)(size >> 8), (uint8_t)size, 8, 2, 0, 0, 0};
    chunk("IHDR", head, sizeof head);
    chunk("IDAT", packed, store(packed, pixels, len));
    chunk("IEND", head, 0);
    if (fclose(out)) {
        perror("/out/tile.png");
        return 1;
    }
    printf("tile.png: %d by %d\n", size, size);
    return 0;
}
