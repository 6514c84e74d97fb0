/* The functions of the module icn_mesh_v1, for guests written in C.
 *
 * A result below 0 is an error: ICN_INVALID, ICN_BUFFER_TOO_SMALL or ICN_TOO_LARGE.
 * A pointer outside of the guest's memory ends the guest. See README.md for the costs. */
#ifndef ICN_MESH_V1_H
#define ICN_MESH_V1_H

#include <stdint.h>

#define ICN_INVALID (-1)
#define ICN_BUFFER_TOO_SMALL (-2)
#define ICN_TOO_LARGE (-3)

#define ICN_CODEC_RAW 0x55
#define ICN_CODEC_DAG_CBOR 0x71

enum icn_level { ICN_ERROR, ICN_WARN, ICN_INFO, ICN_DEBUG, ICN_TRACE };

#define ICN_IMPORT(name) __attribute__((import_module("icn_mesh_v1"), import_name(#name)))

/* Writes the job's id (text, no NUL) and returns its length. With capacity 0 it only tells the length.
 * A guest that asks for it cannot be replayed by its execution key alone. */
ICN_IMPORT(host_job_get_id)
int32_t host_job_get_id(char *buffer, uint32_t capacity);

/* Keeps a block of at most 256 KiB under its CID, whose text (no NUL) is written to `cid`; 64 bytes are enough. */
ICN_IMPORT(host_anchor_to_dag)
int32_t host_anchor_to_dag(uint32_t codec, const void *data, uint32_t data_len, char *cid, uint32_t cid_capacity);

/* Reports progress, 0 to 1000000, with a text of at most 1 KiB (0 bytes: none). */
ICN_IMPORT(host_report_progress)
int32_t host_report_progress(uint32_t parts_per_million, const char *text, uint32_t text_len);

/* Writes a line of at most 4 KiB to the job's log. */
ICN_IMPORT(host_log)
int32_t host_log(uint32_t level, const char *text, uint32_t text_len);

/* Hash functions at the speed of the host; 32 bytes are written. */
ICN_IMPORT(host_sha256)
int32_t host_sha256(const void *data, uint32_t data_len, uint8_t digest[32]);

ICN_IMPORT(host_blake3)
int32_t host_blake3(const void *data, uint32_t data_len, uint8_t digest[32]);

/* Returns 1 if the signature holds, 0 if not. */
ICN_IMPORT(host_ed25519_verify)
int32_t host_ed25519_verify(const uint8_t key[32], const void *message, uint32_t message_len,
                            const uint8_t signature[64]);

#endif
