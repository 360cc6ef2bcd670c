"""What is on a side: listed or asked for, filtered, packed and sorted."""
