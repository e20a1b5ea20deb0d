# SPDX-License-Identifier: Apache-2.0
list(APPEND HW_SOURCES paging/page_table.cpp paging/pager.cpp)
