// SPDX-License-Identifier: MIT
/*
 * 64-bit shifts for 32-bit processors, which compilers call by these names: for targets whose compiler brings them with
 * other conventions than the rest of the program has. Amounts are 0 to 63.
 */
#include <stdint.h>

int64_t __ashldi3(int64_t value, int amount);
int64_t __ashrdi3(int64_t value, int amount);
int64_t __lshrdi3(int64_t value, int amount);

static uint64_t joined(uint32_t high, uint32_t low)
{
	union {
		uint64_t whole;
		uint32_t halves[2];
	} both;
	const int big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;

	both.halves[!big] = high;
	both.halves[big] = low;
	return both.whole;
}

static uint32_t half(uint64_t value, int high)
{
	union {
		uint64_t whole;
		uint32_t halves[2];
	} both = {value};
	const int big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;

	return both.halves[high ? !big : big];
}

int64_t __ashldi3(int64_t value, int amount)
{
	const uint32_t high = half(value, 1), low = half(value, 0);

	if (amount >= 32)
		return joined(low << (amount - 32), 0);
	return amount ? joined(high << amount | low >> (32 - amount), low << amount) : (uint64_t)value;
}

int64_t __lshrdi3(int64_t value, int amount)
{
	const uint32_t high = half(value, 1), low = half(value, 0);

	if (amount >= 32)
		return joined(0, high >> (amount - 32));
	return amount ? joined(high >> amount, low >> amount | high << (32 - amount)) : (uint64_t)value;
}

int64_t __ashrdi3(int64_t value, int amount)
{
	const uint32_t high = half(value, 1), low = half(value, 0);
	const int32_t sign = (int32_t)high;

	if (amount >= 32)
		return joined(sign >> 31, sign >> (amount - 32));
	return amount ? joined(sign >> amount, low >> amount | high << (32 - amount)) : (uint64_t)value;
}
