/** The first page of a table file. The addon reads it; only the writer writes it. */
import { crc32c, type TableHeader } from '@exopool/native';
import {
  EXO_PAGE_SIZE,
  EXO_TABLE_MAGIC,
  tableHeader,
  tableHeaderChecksumStart,
  writeUint64,
} from './format.js';

export function encodeTableHeader(header: TableHeader): Buffer {
  const page = Buffer.alloc(EXO_PAGE_SIZE);
  page.write(EXO_TABLE_MAGIC, tableHeader.magic, 'latin1');
  page.writeUInt32LE(header.version, tableHeader.version);
  page.writeBigUInt64LE(header.tableId, tableHeader.table_id);
  writeUint64(page, header.root, tableHeader.root);
  page.writeUInt32LE(header.height, tableHeader.height);
  writeUint64(page, header.entries, tableHeader.entries);
  writeUint64(page, header.fileSize, tableHeader.file_size);
  writeUint64(page, header.leafPages, tableHeader.leaf_pages);
  writeUint64(page, header.interiorPages, tableHeader.interior_pages);
  writeUint64(page, header.valuePages, tableHeader.value_pages);
  writeUint64(page, header.createdMs, tableHeader.created_ms);
  writeUint64(page, header.filter, tableHeader.filter);
  page.writeUInt32LE(header.filterPages, tableHeader.filter_pages);
  page.writeUInt32LE(header.filterBlocks, tableHeader.filter_blocks);
  page.writeUInt32LE(crc32c(page.subarray(tableHeaderChecksumStart)), tableHeader.checksum);
  return page;
}
